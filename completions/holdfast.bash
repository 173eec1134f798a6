# SPDX-License-Identifier: GPL-2.0-or-later
# Written by completions/generate.
_holdfast()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} words

	# --option=word is three words here
	[[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $word == = ]] && word=
	((COMP_CWORD == 1)) && command=
	case $before in
	--pid) words="$(ps -eo pid=)" ;;
	--process) words="$(ps -eo comm= | sort -u)" ;;
	--user) words="$(getent passwd | cut -d: -f1)" ;;
	--netns) words="$(echo all; ip netns list 2>/dev/null | cut -d' ' -f1)" ;;
	--state) words="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack listening closing all connected synchronized" ;;
	--direction) words="in out" ;;
	--audit) words="protected slow unprotected" ;;
	--keep-open) words="aws-nlb aws-gwlb aws-nat aws-network-firewall ec2-nitro-v6 ec2-conntrack azure-lb azure-nat gcp-firewall gcp-nat oci-nlb linux-ipvs linux-conntrack kube-proxy cilium calico cisco-asa fortigate checkpoint paloalto juniper-srx f5-fastl4 pf home-gateway" ;;
	--backend) words="bpf preload" ;;
	--columns | --local | --remote | --cgroup | --dead-within | --idle | --interval | --count | --user-timeout | --rate | --loss | --seed | --plot) words= ;;
	*)
		case $command in
		list) words="--help --columns --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		audit) words="--help --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		apply) words="--help --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		watch) words="--help --restore --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		check) words="--help --interval --count --rate --close-dead --dry-run --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --json" ;;
		restore) words="--help --json" ;;
		run) words="--help --backend --quiet --dead-within --keep-open --idle --interval --count --user-timeout --override" ;;
		plan) words="--help --loss --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		profiles) words="--help --json" ;;
		simulate) words="--help --seed --plot --json" ;;
		doctor) words="--help --json" ;;
		demo) words="--help" ;;
		help) words="list audit apply watch check restore run plan profiles simulate doctor demo" ;;
		*) words="list audit apply watch check restore run plan profiles simulate doctor demo help --help --version --columns --local --remote --pid --process --user --cgroup --netns --state --direction -4 -6 --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _holdfast holdfast
