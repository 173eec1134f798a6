/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/demo_process.h"

#define STRING(x) #x
#define NUMBER(x) STRING(x)

static const char *const ip[] = { "ip", "-batch", "-", NULL };
static const char *const nft[] = { "nft", "-f", "-", NULL };

static const char nat_rules[] = "table ip demo {\n"
				"	chain strict {\n"
				"		type filter hook prerouting priority 0\n"
				"		ct state invalid drop\n"
				"	}\n"
				"	chain translate {\n"
				"		type nat hook postrouting priority 100\n"
				"		oifname \"server*\" masquerade\n"
				"	}\n"
				"}\n";

const char *hf_world_address(unsigned int server)
{
	static char address[32];

	snprintf(address, sizeof(address), "203.0.113.%u", 4 * server + 2);
	return address;
}

static int hosts_boot(struct hf_world *world, struct hf_problem *problem)
{
	pid_t *hosts[] = { &world->client,     &world->nat,	   &world->servers[0],
			   &world->servers[1], &world->servers[2], &world->servers[3] };
	static_assert(HF_WORLD_SERVERS == 4, "one line each above");

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		pid_t pid = hf_child_host(problem);

		if (pid < 0)
			return -1;
		*hosts[i] = pid;
	}
	return 0;
}

static int client_connect(const struct hf_world *world, struct hf_problem *problem)
{
	char batch[256];

	snprintf(batch, sizeof(batch),
		 "link add lan type veth peer name eth0 netns %d\n"
		 "addr add 192.168.77.1/24 dev lan\n"
		 "link set lan up\n",
		 (int)world->client);
	if (hf_child_run(world->nat, ip, batch, problem))
		return -1;
	return hf_child_run(world->client, ip,
			    "addr add 192.168.77.2/24 dev eth0\n"
			    "link set eth0 up\n"
			    "route add default via 192.168.77.1\n",
			    problem);
}

static int server_connect(const struct hf_world *world, unsigned int server,
			  struct hf_problem *problem)
{
	char batch[256];

	snprintf(batch, sizeof(batch),
		 "link add server%u type veth peer name eth0 netns %d\n"
		 "addr add 203.0.113.%u/30 dev server%u\n"
		 "link set server%u up\n",
		 server, (int)world->servers[server], 4 * server + 1, server, server);
	if (hf_child_run(world->nat, ip, batch, problem))
		return -1;
	snprintf(batch, sizeof(batch),
		 "addr add %s/30 dev eth0\n"
		 "link set eth0 up\n",
		 hf_world_address(server));
	return hf_child_run(world->servers[server], ip, batch, problem);
}

/* The rules first: they load nf_conntrack, whose sysctls appear with it. */
static int nat_forgetful(pid_t nat, struct hf_problem *problem)
{
	static const struct {
		const char *name, *value;
	} sysctls[] = {
		{ "net/netfilter/nf_conntrack_tcp_timeout_established",
		  NUMBER(HF_WORLD_NAT_FORGETS_S) },
		{ "net/netfilter/nf_conntrack_tcp_loose", "0" },
		{ "net/ipv4/ip_forward", "1" },
	};

	if (hf_child_run(nat, nft, nat_rules, problem))
		return -1;
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		if (hf_child_sysctl(nat, sysctls[i].name, sysctls[i].value, problem))
			return -1;
	}
	return 0;
}

int hf_world_open(struct hf_world *world, struct hf_problem *problem)
{
	memset(world, 0, sizeof(*world));
	if (hosts_boot(world, problem) || client_connect(world, problem))
		return -1;
	for (unsigned int i = 0; i < HF_WORLD_SERVERS; i++) {
		if (server_connect(world, i, problem))
			return -1;
	}
	return nat_forgetful(world->nat, problem);
}

void hf_world_close(struct hf_world *world)
{
	hf_child_end(&world->client);
	hf_child_end(&world->nat);
	for (unsigned int i = 0; i < HF_WORLD_SERVERS; i++)
		hf_child_end(&world->servers[i]);
}

int hf_world_server_link(const struct hf_world *world, unsigned int server, bool up,
			 struct hf_problem *problem)
{
	return hf_child_run(world->servers[server], ip,
			    up ? "link set eth0 up\n" : "link set eth0 down\n", problem);
}

/* Ahead of conntrack (-200), so that what is dropped refreshes no entry. */
int hf_world_break(const struct hf_world *world, struct hf_problem *problem)
{
	return hf_child_run(world->nat, nft,
			    "add chain ip demo broken "
			    "{ type filter hook prerouting priority -300; policy drop; }\n",
			    problem);
}

int hf_world_heal(const struct hf_world *world, struct hf_problem *problem)
{
	return hf_child_run(world->nat, nft, "delete chain ip demo broken\n", problem);
}
