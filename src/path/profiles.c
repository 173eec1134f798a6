/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/profiles.h"

#include <string.h>

#define RST "RST on next packet"
#define DROP "silent drop"

const struct hf_profile hf_profiles[] = {
	{ "aws-nlb", "AWS Network Load Balancer", 350, RST,
	  "TCP listeners: settable 60-6000 s; TLS: fixed",
	  "Elastic Load Balancing user guide, \"Update the TCP idle timeout\"" },
	{ "aws-gwlb", "AWS Gateway Load Balancer", 350, RST, "settable 60-6000 s",
	  "Elastic Load Balancing user guide, Gateway Load Balancers" },
	{ "aws-nat", "AWS NAT gateway", 350, RST, "not settable",
	  "Amazon VPC user guide, \"Troubleshoot NAT gateways\"" },
	{ "aws-network-firewall", "AWS Network Firewall", 350, DROP, "settable 60-6000 s",
	  "AWS Network Firewall API reference, FlowTimeouts" },
	{ "ec2-nitro-v6", "EC2 security group tracking, Nitro v6", 350, DROP,
	  "settable 60-432000 s", "Amazon EC2 API reference, ConnectionTrackingConfiguration" },
	{ "ec2-conntrack", "EC2 security group tracking, older instances", 432000, DROP,
	  "settable 60-432000 s", "Amazon EC2 API reference, ConnectionTrackingConfiguration" },
	{ "azure-lb", "Azure Load Balancer", 240, DROP, "settable 4-100 min; RST optional",
	  "Azure Load Balancer documentation, \"TCP Reset and Idle Timeout\"" },
	{ "azure-nat", "Azure NAT gateway", 240, RST, "settable 4-120 min",
	  "Azure NAT Gateway documentation, \"TCP idle timeout\"" },
	{ "gcp-firewall", "Google Cloud VPC firewall", 600, DROP, "not settable",
	  "Google Cloud VPC documentation, \"VPC firewall rules\"" },
	{ "gcp-nat", "Google Cloud NAT", 1200, DROP, "settable",
	  "Google Cloud NAT documentation, \"NAT timeouts\"" },
	{ "oci-nlb", "Oracle Cloud network load balancer", 360, "", "settable",
	  "Oracle Cloud documentation, \"Changing a Listener's Idle Timeout\"" },
	{ "linux-ipvs", "Linux IPVS, Docker Swarm", 900, DROP, "settable: ipvsadm --set",
	  "Linux source, ip_vs_proto_tcp.c" },
	{ "linux-conntrack", "Linux netfilter: NAT, stateful firewall", 432000, DROP,
	  "settable; 300 s after unanswered retransmissions",
	  "Linux documentation, nf_conntrack-sysctl: nf_conntrack_tcp_timeout_established" },
	{ "kube-proxy", "Kubernetes kube-proxy", 86400, DROP, "settable",
	  "kube-proxy reference, --conntrack-tcp-timeout-established" },
	{ "cilium", "Cilium eBPF", 8000, DROP, "settable",
	  "cilium-agent reference, --bpf-ct-timeout-regular-tcp" },
	{ "calico", "Calico eBPF", 3600, DROP, "settable",
	  "Calico source, bpf/conntrack/timeouts" },
	{ "cisco-asa", "Cisco ASA", 3600, DROP, "settable from 5 min; RST optional",
	  "Cisco ASA command reference, timeout conn" },
	{ "fortigate", "FortiGate", 3600, DROP, "settable; RST optional",
	  "FortiOS CLI reference, system session-ttl" },
	{ "checkpoint", "Check Point", 3600, DROP, "settable; RST optional",
	  "Check Point administration guide, Stateful Inspection" },
	{ "paloalto", "Palo Alto Networks", 3600, DROP, "settable; RST optional",
	  "PAN-OS administrator's guide, \"Session Timeouts\"" },
	{ "juniper-srx", "Juniper SRX", 1800, "", "settable per application",
	  "Junos documentation, inactivity-timeout (applications)" },
	{ "f5-fastl4", "F5 BIG-IP FastL4", 300, RST, "settable",
	  "BIG-IP AS3 schema reference, L4_Profile: idleTimeout, resetOnTimeout" },
	{ "pf", "pf (FreeBSD, OpenBSD)", 86400, DROP, "settable: set timeout tcp.established",
	  "pf.conf(5)" },
	{ "home-gateway", "Home gateways, the shortest", 240, DROP, "the median is about 1 h",
	  "H\303\244t\303\266nen et al., \"An experimental study of home gateway characteristics\", "
	  "IMC 2010" },
};
const size_t hf_profiles_count = sizeof(hf_profiles) / sizeof(hf_profiles[0]);

const struct hf_profile *hf_profile_find(const char *name)
{
	for (size_t i = 0; i < hf_profiles_count; i++)
		if (!strcmp(hf_profiles[i].name, name))
			return &hf_profiles[i];
	return NULL;
}
