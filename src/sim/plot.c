/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/plot.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define WIDTH 900
#define LEFT 90
#define RIGHT 30
#define TOP 60
#define PANEL 150 /* height of the drawing */
#define BELOW 70  /* of its axis, its label, and the next title */
#define PANELS 4
#define TICKS 6
#define BARS 40
#define ROUNDING 1.001 /* the last tick is not to be missed for it */
#define CURVES_MAX 3
#define LEGEND 180 /* width of a curve's name */

struct axis {
	double most, step; /* from 0 */
	double unit;	   /* what is shown is the value divided by this */
	const char *label;
};

struct curve {
	const char *name, *colour;
	double value[HF_SAMPLES_MAX];
};

/* 1, 2 or 5 times a power of ten: about TICKS of them up to most. */
static double nice_step(double most)
{
	double raw = most / TICKS, power = pow(10, floor(log10(raw))), lead = raw / power;

	return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static struct axis axis_of(double most, double unit, const char *label)
{
	struct axis axis = { .unit = unit, .label = label };

	if (!(most > 0))
		most = unit;
	axis.step = nice_step(most / unit) * unit;
	axis.most = ceil(most / axis.step) * axis.step;
	return axis;
}

static struct axis time_axis(double most_ms, const char *what_s, const char *what_min,
			     const char *what_h)
{
	if (most_ms < 3 * 60e3)
		return axis_of(most_ms, 1e3, what_s);
	if (most_ms < 3 * 3600e3)
		return axis_of(most_ms, 60e3, what_min);
	return axis_of(most_ms, 3600e3, what_h);
}

static double place_x(const struct axis *axis, double value)
{
	return LEFT + value / axis->most * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct axis *axis, double value, double bottom)
{
	return bottom - value / axis->most * PANEL;
}

static void text(FILE *out, const char *string)
{
	for (; *string; string++) {
		if (*string == '&')
			fputs("&amp;", out);
		else if (*string == '<')
			fputs("&lt;", out);
		else if (*string == '>')
			fputs("&gt;", out);
		else
			fputc(*string, out);
	}
}

static void draw_axes(FILE *out, const struct axis *x, const struct axis *y, double bottom,
		      const char *title)
{
	fprintf(out, "<text x=\"%d\" y=\"%.0f\" class=\"title\">%s</text>\n", LEFT,
		bottom - PANEL - 10, title);
	for (int i = 0; i * x->step <= x->most * ROUNDING; i++)
		fprintf(out,
			"<path d=\"M%.1f %.1fv5\" class=\"axis\"/>"
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.6g</text>\n",
			place_x(x, i * x->step), bottom, place_x(x, i * x->step), bottom + 18,
			i * x->step / x->unit);
	for (int i = 0; i * y->step <= y->most * ROUNDING; i++) {
		double at = place_y(y, i * y->step, bottom);

		fprintf(out,
			"<path d=\"M%d %.1fH%d\" class=\"grid\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
			LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, i * y->step / y->unit);
	}
	fprintf(out, "<path d=\"M%d %.1fV%.1fH%d\" class=\"axis\"/>\n", LEFT, bottom - PANEL,
		bottom, WIDTH - RIGHT);
	fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\" class=\"label\">%s</text>\n",
		(WIDTH + LEFT - RIGHT) / 2, bottom + 34, x->label);
	fprintf(out,
		"<text transform=\"translate(20 %.1f) rotate(-90)\" text-anchor=\"middle\" "
		"class=\"label\">%s</text>\n",
		bottom - PANEL / 2.0, y->label);
}

static void draw_curve(FILE *out, const struct hf_result *result, const struct axis *x,
		       const struct axis *y, double bottom, const struct curve *curve,
		       unsigned int number)
{
	fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
		curve->colour);
	for (size_t i = 0; i < result->samples; i++)
		fprintf(out, "%.1f,%.1f ", place_x(x, result->sample[i].at_ms),
			place_y(y, curve->value[i], bottom));
	fputs("\"/>\n", out);
	fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">%s</text>\n",
		WIDTH - RIGHT - (int)number * LEGEND, bottom - PANEL - 10, curve->colour,
		curve->name);
}

static void draw_curves(FILE *out, const struct hf_result *result, unsigned int panel,
			const char *title, const char *label, const struct curve *curves,
			unsigned int count)
{
	double bottom = TOP + PANEL + panel * (double)(PANEL + BELOW), most = 0;
	struct axis x = time_axis(result->scenario->duration_ms, "virtual time (s)",
				  "virtual time (min)", "virtual time (h)");
	struct axis y;

	for (unsigned int i = 0; i < count; i++)
		for (size_t j = 0; j < result->samples; j++)
			most = fmax(most, curves[i].value[j]);
	y = axis_of(most, 1, label);
	draw_axes(out, &x, &y, bottom, title);
	for (unsigned int i = 0; i < count; i++)
		draw_curve(out, result, &x, &y, bottom, &curves[i], i);
}

static void draw_tables(FILE *out, const struct hf_result *result)
{
	struct curve curves[CURVES_MAX] = { { .name = "connections open", .colour = "#1f5fa8" },
					    { .name = "flows watched", .colour = "#b45f06" },
					    { .name = "entries of NATs and firewalls",
					      .colour = "#38761d" } };

	for (size_t i = 0; i < result->samples; i++) {
		curves[0].value[i] = (double)result->sample[i].flows;
		curves[1].value[i] = (double)result->sample[i].table;
		curves[2].value[i] = (double)result->sample[i].nat_entries;
	}
	draw_curves(out, result, 0, "Connections and tables", "number", curves,
		    result->has_nat ? 3 : 2);
}

static void draw_probes(FILE *out, const struct hf_result *result)
{
	struct curve curve = { .name = "probes and questions", .colour = "#1f5fa8" };

	for (size_t i = 1; i < result->samples; i++) {
		const struct hf_sample *sample = &result->sample[i];
		double passed = (sample->at_ms - sample[-1].at_ms) / 1e3;

		curve.value[i] =
			passed > 0 ? (double)(sample->probes - sample[-1].probes) / passed : 0;
	}
	draw_curves(out, result, 1, "Probes", "probes per second (1/s)", &curve, 1);
}

static void draw_deaths(FILE *out, const struct hf_result *result)
{
	struct curve curve = { .name = "verdicts until then", .colour = "#a61c1c" };

	for (size_t i = 0; i < result->samples; i++)
		curve.value[i] = (double)result->sample[i].deaths;
	draw_curves(out, result, 2, "Deaths told", "number", &curve, 1);
}

/* How many deaths took so long to be found, and what was promised. */
static void draw_detection(FILE *out, const struct hf_result *result)
{
	const struct hf_durations *detection = &result->detection;
	double bottom = TOP + PANEL + 3.0 * (PANEL + BELOW), bound = (double)result->bound_ms;
	double bar[BARS] = { 0 }, most = 0, longest = hf_durations_quantile(detection, 1);
	struct axis x = time_axis(fmax(longest, bound) * 1.05, "time since last heard (s)",
				  "time since last heard (min)", "time since last heard (h)");
	struct axis y;

	for (size_t i = 0; i < detection->count; i++)
		bar[(int)fmin(detection->ms[i] / x.most * BARS, BARS - 1)]++;
	for (int i = 0; i < BARS; i++)
		most = fmax(most, bar[i]);
	y = axis_of(most, 1, "deaths found");
	draw_axes(out, &x, &y, bottom, "How long deaths took to be found, nothing being in flight");
	for (int i = 0; i < BARS; i++) {
		double from = place_x(&x, i * x.most / BARS), high = bar[i] / y.most * PANEL;

		if (bar[i] > 0)
			fprintf(out,
				"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
				"fill=\"#1f5fa8\"/>\n",
				from + 0.5, bottom - high, place_x(&x, x.most / BARS) - LEFT - 1,
				high);
	}
	if (!result->bound_ms)
		return;
	fprintf(out, "<path d=\"M%.1f %.1fV%.1f\" class=\"bound\"/>\n", place_x(&x, bound),
		bottom - PANEL, bottom);
	fprintf(out,
		"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#a61c1c\">promised: "
		"%.6g s</text>\n",
		place_x(&x, bound), bottom - PANEL - 10, bound / 1e3);
}

void hf_plot_write(const struct hf_result *result, const char *title, FILE *out)
{
	int height = TOP + PANELS * (PANEL + BELOW);

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n",
		WIDTH, height, WIDTH, height);
	fputs("<style>.axis{stroke:#222;fill:none}.grid{stroke:#ddd}"
	      ".bound{stroke:#a61c1c;stroke-width:2;stroke-dasharray:6 3}"
	      ".title{font-weight:bold;font-size:13px}.label{fill:#444}</style>\n"
	      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
	      out);
	fprintf(out, "<text x=\"%d\" y=\"22\" font-size=\"16\" font-weight=\"bold\">", LEFT);
	text(out, title);
	fprintf(out, ", seed %" PRIu64 "</text>\n", result->seed);
	draw_tables(out, result);
	draw_probes(out, result);
	draw_deaths(out, result);
	draw_detection(out, result);
	fputs("</svg>\n", out);
}
