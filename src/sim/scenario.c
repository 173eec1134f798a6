/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libconfuse sees to the syntax. It hands every value over as text, and its line is kept; once
 * the whole file has been read, and so every name is known, the tables below say what each means.
 */
#include "sim/scenario.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_check.h"
#include "sim/scenario_keys.h"

#define SENTINEL "end of the file" /* no name that a scenario could have for a key */

/* --- Syntax --- */

struct mark { /* where a value was given */
	const cfg_opt_t *option;
	int line;
};

/* libconfuse's callbacks get no pointer of ours, and its scanner is one for the process, too. */
static struct reading {
	const char *file;
	struct hf_problem *problem;
	struct mark *marks;
	size_t count, size;
	bool failed;
} reading;

static int wrong(int line, const char *mend, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The first error is the one told. */
static int wrong(int line, const char *mend, const char *format, ...)
{
	char message[256];
	va_list arguments;

	if (reading.failed)
		return -1;
	reading.failed = true;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return hf_problem_set(reading.problem, HF_EXIT_USAGE, mend, "%s:%d: %s", reading.file, line,
			      message);
}

static void keys_of(const cfg_t *section, char *mend, size_t size)
{
	size_t length = (size_t)snprintf(mend, size, "known here:");

	for (const cfg_opt_t *option = section->opts; option->name && length < size; option++)
		if (strcmp(option->name, SENTINEL))
			length +=
				(size_t)snprintf(mend + length, size - length, " %s", option->name);
}

static void on_error(cfg_t *section, const char *format, va_list arguments)
{
	static const char unknown[] = "no such option";
	char message[256], mend[sizeof(reading.problem->mend)] = "";

	vsnprintf(message, sizeof(message), format, arguments);
	if (strstr(message, SENTINEL)) {
		wrong(section->line - 1, "add a }", "%s is not closed", section->name);
		return;
	}
	if (!strncmp(message, unknown, strlen(unknown))) {
		keys_of(section, mend, sizeof(mend));
		wrong(section->line, mend, "no such key%s", message + strlen(unknown));
		return;
	}
	wrong(section->line, mend, "%s", message);
}

static const struct mark *marked(const cfg_opt_t *option)
{
	for (size_t i = reading.count; i; i--)
		if (reading.marks[i - 1].option == option)
			return &reading.marks[i - 1];
	return NULL;
}

static int on_value(cfg_t *section, cfg_opt_t *option)
{
	const struct mark *earlier = marked(option);
	struct mark *marks;

	if (earlier && !(option->flags & CFGF_LIST))
		return wrong(section->line, "keep one of them",
			     "%s is given twice, also in line %d", option->name, earlier->line);
	if (reading.count == reading.size) {
		marks = realloc(reading.marks, (2 * reading.size + 64) * sizeof(*marks));
		if (!marks)
			return wrong(section->line, "", "out of memory");
		reading.marks = marks;
		reading.size = 2 * reading.size + 64;
	}
	reading.marks[reading.count++] = (struct mark){ option, section->line };
	return 0;
}

static cfg_opt_t option_of(const struct hf_key *key)
{
	cfg_opt_t one = CFG_STR(key->name, NULL, CFGF_NODEFAULT);
	cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NODEFAULT);
	cfg_opt_t option = key->kind == HF_VALUE_VIA ? list : one;

	option.validcb = on_value;
	return option;
}

/* cfg_init copies all of it. */
static cfg_t *prepare(void)
{
	static cfg_opt_t keys[HF_SCENARIO_SECTIONS][HF_SCENARIO_KEYS_MAX + 1];
	static cfg_opt_t top[HF_SCENARIO_SECTIONS + 2];
	cfg_opt_t sentinel = CFG_STR(SENTINEL, NULL, CFGF_NODEFAULT), end = CFG_END();

	for (size_t i = 0; i < HF_SCENARIO_SECTIONS; i++) {
		cfg_flag_t flags =
			CFGF_MULTI |
			(hf_scenario_sections[i].titled ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0);
		cfg_opt_t section = CFG_SEC(hf_scenario_sections[i].name, keys[i], flags);
		size_t count = 0;

		for (const struct hf_key *key = hf_scenario_sections[i].keys; key->name; key++)
			keys[i][count++] = option_of(key);
		keys[i][count] = end;
		top[i] = section;
	}
	top[HF_SCENARIO_SECTIONS] = sentinel;
	top[HF_SCENARIO_SECTIONS + 1] = end;
	return cfg_init(top, CFGF_NONE);
}

/* --- Meaning --- */

static int line_of(cfg_t *section, const struct hf_key *keys)
{
	int line = section->line; /* of its end */

	for (; keys->name; keys++) {
		const struct mark *mark = marked(cfg_getopt(section, keys->name));

		if (mark && mark->line < line)
			line = mark->line;
	}
	return line;
}

static int read_key(const struct hf_scenario *scenario, cfg_t *section, const struct hf_key *key,
		    char *record)
{
	cfg_opt_t *option = cfg_getopt(section, key->name);
	const struct mark *mark = marked(option);
	char mend[HF_MEND];

	if (!cfg_opt_size(option) && key->required) {
		snprintf(mend, sizeof(mend), "add %s = ...", key->name);
		return wrong(section->line, mend, "%s has no %s", section->name, key->name);
	}
	for (unsigned int i = 0; i < cfg_opt_size(option); i++) {
		const char *text = cfg_opt_getnstr(option, i);
		const char *what = hf_value_read(scenario, key, text, record + key->offset, mend);

		if (what)
			return wrong(mark ? mark->line : section->line, mend, "%s = \"%s\" %s",
				     key->name, text, what);
		if (key->kind == HF_VALUE_RANGE && mark)
			((struct hf_range *)(record + key->offset))->line = mark->line;
	}
	return 0;
}

static int read_keys(const struct hf_scenario *scenario, cfg_t *section, const struct hf_key *keys,
		     void *record)
{
	for (; keys->name; keys++)
		if (read_key(scenario, section, keys, record))
			return -1;
	return 0;
}

static int name_record(const struct hf_scenario *scenario, cfg_t *section,
		       const struct hf_section *kind, char *record)
{
	const char *title = cfg_title(section);
	struct hf_element element;
	int line = line_of(section, kind->keys);

	memcpy(record + (kind->titled ? HF_SCENARIO_NAME : 0), &line, sizeof(line));
	if (!kind->titled)
		return 0;
	if (!*title || strlen(title) >= HF_SCENARIO_NAME)
		return wrong(line, "1 to 47 bytes", "%s has a name too short or too long",
			     kind->name);
	if (kind->element && hf_scenario_element(scenario, title, &element))
		return wrong(line, "call it otherwise", "the name \"%s\" is there already", title);
	strcpy(record, title);
	return 0;
}

/* Their names first, as sections may speak of later ones. */
static int make_records(struct hf_scenario *scenario, cfg_t *root, const struct hf_section *kind)
{
	uint32_t *count = (uint32_t *)((char *)scenario + kind->count);

	for (unsigned int i = 0; i < cfg_size(root, kind->name); i++) {
		char *record = (char *)scenario + kind->array + *count * kind->size;
		cfg_t *section = cfg_getnsec(root, kind->name, i);

		if (*count == HF_SECTIONS_MAX)
			return wrong(section->line, "at most 32", "too many sections %s",
				     kind->name);
		memcpy(record, kind->start, kind->size);
		if (name_record(scenario, section, kind, record))
			return -1;
		++*count;
	}
	return 0;
}

static int read_records(struct hf_scenario *scenario, cfg_t *root, const struct hf_section *kind)
{
	unsigned int n = cfg_size(root, kind->name);
	/* firewalls follow the NATs */
	uint32_t first = *(uint32_t *)((char *)scenario + kind->count) - n;

	if (!strcmp(kind->name, "nat"))
		first = 0;
	for (unsigned int i = 0; i < n; i++)
		if (read_keys(scenario, cfg_getnsec(root, kind->name, i), kind->keys,
			      (char *)scenario + kind->array + (first + i) * kind->size))
			return -1;
	return 0;
}

/* scenario and expect: one of each at most. */
static int read_single(struct hf_scenario *scenario, cfg_t *root, const struct hf_section *kind)
{
	unsigned int n = cfg_size(root, kind->name);
	cfg_t *section = n ? cfg_getnsec(root, kind->name, n - 1) : NULL;

	if (n > 1)
		return wrong(section->line, "keep one of them", "%s is given twice", kind->name);
	if (!n && kind->titled)
		return wrong(root->line - 1, "add scenario NAME { duration = 1h }",
			     "there is no section scenario");
	if (!n)
		return 0;
	if (kind->titled) {
		const char *title = cfg_title(section);

		if (!*title || strlen(title) >= HF_SCENARIO_NAME)
			return wrong(section->line, "1 to 47 bytes",
				     "the scenario's name is too short or too long");
		strcpy(scenario->name, title);
	}
	return read_keys(scenario, section, kind->keys, scenario);
}

static int read_all(struct hf_scenario *scenario, cfg_t *root)
{
	int failed = 0;

	for (size_t i = 0; i < HF_SCENARIO_SECTIONS && !failed; i++)
		if (hf_scenario_sections[i].size)
			failed = make_records(scenario, root, &hf_scenario_sections[i]);
	for (size_t i = 0; i < HF_SCENARIO_SECTIONS && !failed; i++)
		failed = hf_scenario_sections[i].size ?
				 read_records(scenario, root, &hf_scenario_sections[i]) :
				 read_single(scenario, root, &hf_scenario_sections[i]);
	return failed;
}

/* --- The file --- */

static char *read_file(FILE *in, size_t *size)
{
	static const char end[] = "\"" SENTINEL "\" = 1\n";
	char *text = malloc(HF_SCENARIO_FILE_MAX + 1 + sizeof(end));

	if (!text)
		return NULL;
	*size = fread(text, 1, HF_SCENARIO_FILE_MAX, in);
	if (*size && text[*size - 1] != '\n')
		text[(*size)++] = '\n';
	memcpy(text + *size, end, sizeof(end));
	*size += sizeof(end) - 1;
	return text;
}

static int parse_syntax(cfg_t *root, char *text, size_t size)
{
	FILE *stream = fmemopen(text, size, "r");
	int failed = -1;

	if (stream) {
		root->filename = strdup(reading.file);
		cfg_set_error_function(root, on_error);
		failed = cfg_parse_fp(root, stream) == CFG_SUCCESS ? 0 : -1;
		fclose(stream);
	}
	return failed ? wrong(root->line, "", "cannot be read as a scenario") : 0;
}

static int parse(cfg_t *root, char *text, size_t size, struct hf_scenario *scenario)
{
	const char *mend;
	char what[200];
	int line;

	if (parse_syntax(root, text, size) || read_all(scenario, root))
		return -1;
	line = hf_scenario_check(scenario, what, sizeof(what), &mend);
	return line ? wrong(line, mend, "%s", what) : 0;
}

int hf_scenario_parse(FILE *in, const char *file, struct hf_scenario *out,
		      struct hf_problem *problem)
{
	struct hf_scenario *scenario = calloc(1, sizeof(*scenario));
	size_t size = 0;
	char *text = read_file(in, &size);
	cfg_t *root = prepare();
	int failed = -1;

	reading = (struct reading){ .file = file, .problem = problem };
	if (!scenario || !text || !root)
		wrong(0, "", "out of memory");
	else if (ferror(in) || !feof(in))
		wrong(0, "give a text file of at most 1 MiB", "cannot be read as a scenario");
	else
		failed = parse(root, text, size, scenario);
	if (!failed)
		*out = *scenario;
	cfg_free(root);
	free(reading.marks);
	free(text);
	free(scenario);
	return failed;
}
