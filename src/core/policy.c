/* SPDX-License-Identifier: BSD-2-Clause */
#include <holdfast/policy.h>

static inline bool process_equal(const char *a, const char *b)
{
	unsigned int differs = 0;

	for (unsigned int i = 0; i < HF_PROCESS_NAME; i++)
		differs |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return !differs;
}

static inline bool connection_matches(const struct hf_match *match, unsigned int index,
				      const struct hf_facts *facts)
{
	if (match->family && match->family != facts->family)
		return false;
	if (match->direction && match->direction != facts->direction)
		return false;
	if (match->states && (facts->state > 31 || !(match->states >> facts->state & 1)))
		return false;
	if ((match->fields & HF_MATCH_NETNS) && match->netns != facts->netns)
		return false;
	if ((match->fields & HF_MATCH_CGROUP) &&
	    (index >= HF_RULES_MAX || !(facts->cgroup_rules >> index & 1)))
		return false;
	return hf_prefix_holds(&match->local, &facts->local.address, facts->local.port) &&
	       hf_prefix_holds(&match->remote, &facts->remote.address, facts->remote.port);
}

/* Those of the owner's fields that can be told by now: the uid may be known without its holder. */
static inline uint32_t known_fields(const struct hf_facts *facts)
{
	if (facts->owner_known)
		return HF_MATCH_OWNER;
	return facts->uid_known ? HF_MATCH_UID : 0;
}

static inline bool owner_matches(const struct hf_match *match, uint32_t fields,
				 const struct hf_facts *facts)
{
	if ((fields & HF_MATCH_UID) && match->uid != facts->uid)
		return false;
	if ((fields & HF_MATCH_PID) && match->pid != facts->pid)
		return false;
	return !(fields & HF_MATCH_PROCESS) || process_equal(match->process, facts->process);
}

static inline void prefix_any(struct hf_prefix *out)
{
	struct hf_prefix any = { .port_last = UINT16_MAX };

	*out = any;
}

HF_API void hf_match_any(struct hf_match *out)
{
	struct hf_match any = { 0 };

	prefix_any(&any.local);
	prefix_any(&any.remote);
	*out = any;
}

HF_API enum hf_matched hf_match_test(const struct hf_match *match, unsigned int index,
				     const struct hf_facts *facts)
{
	uint32_t asked = match->fields & HF_MATCH_OWNER, known = known_fields(facts);

	if (!connection_matches(match, index, facts) || !owner_matches(match, asked & known, facts))
		return HF_MATCHED_NO;
	return asked & ~known ? HF_MATCHED_UNKNOWN : HF_MATCHED;
}

HF_API enum hf_matched hf_policy_find(const struct hf_rule *rules, unsigned int count,
				      const struct hf_facts *facts, unsigned int *index)
{
	for (unsigned int i = 0; i < count; i++) {
		enum hf_matched matched = hf_match_test(&rules[i].match, i, facts);

		if (matched != HF_MATCHED_NO) {
			*index = i;
			return matched;
		}
	}
	return HF_MATCHED_NO;
}
