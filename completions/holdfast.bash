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
	case "$command $before" in
	'run --backend') words="bpf preload" ;;
	*' --pid') words="$(ps -eo pid=)" ;;
	*' --process') words="$(ps -eo comm= | sort -u)" ;;
	*' --user') words="$(getent passwd | cut -d: -f1)" ;;
	*' --netns') words="$(echo all; ip netns list 2>/dev/null | cut -d' ' -f1)" ;;
	*' --direction') words="in out" ;;
	*' --state') words="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack listening closing all connected synchronized" ;;
	*' --audit') words="protected slow unprotected" ;;
	*' --keep-open') words="aws-nlb aws-gwlb aws-nat aws-network-firewall ec2-nitro-v6 ec2-conntrack azure-lb azure-nat gcp-firewall gcp-nat oci-nlb linux-ipvs linux-conntrack kube-proxy cilium calico cisco-asa fortigate checkpoint paloalto juniper-srx f5-fastl4 pf home-gateway" ;;
	*' --backend') words="bpf diag" ;;
	*' --on-dead') words="observe free reset" ;;
	*' --columns' | *' --local' | *' --remote' | *' --cgroup' | *' --dead-within' | *' --idle' | *' --interval' | *' --count' | *' --user-timeout' | *' --rate' | *' --loss' | *' --source' | *' --destination' | *' --port' | *' --mark' | *' --exclude' | *' --brake' | *' --frames' | *' -n' | *' --delay' | *' --rows' | *' --seed' | *' --plot') words= ;;
	*)
		case $command in
		list) words="--help --columns --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		audit) words="--help --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		apply) words="--help --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		watch) words="--help --restore --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		check) words="--help --interval --count --rate --close-dead --dry-run --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --json" ;;
		why) words="--help --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		restore) words="--help --json" ;;
		run) words="--help --backend --quiet --dead-within --keep-open --idle --interval --count --user-timeout --override" ;;
		plan) words="--help --loss --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		profiles) words="--help --json" ;;
		gateway) words="--help --on-dead --dry-run --source --destination --port --mark --exclude --rate --brake --dead-within --keep-open --idle --interval --count --user-timeout --override --json" ;;
		top) words="--help --batch --frames -n --delay --rows --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		simulate) words="--help --seed --plot --json" ;;
		doctor) words="--help --gateway --json" ;;
		demo) words="--help" ;;
		help) words="list audit apply watch check why restore run plan profiles gateway top simulate doctor demo" ;;
		*) words="list audit apply watch check why restore run plan profiles gateway top simulate doctor demo help --help --version --columns --local --remote --pid --process --user --cgroup --netns --direction -4 -6 --state --audit --dead-within --keep-open --idle --interval --count --user-timeout --override --json --backend" ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _holdfast holdfast
