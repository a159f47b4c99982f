# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Completion for offmap.  After the VMM of `offmap run` come that program's own.

_offmap() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local options='' i
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'probe run audit stat demo help --help --version' -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]} in
	probe) options='--json --help' ;;
	audit) options='--json --all --pid --timeout --list --help' ;;
	stat) options='--json --prometheus --help' ;;
	help)
		mapfile -t COMPREPLY < <(compgen -W 'probe run audit stat demo' -- "$cur")
		return
		;;
	demo) options='--json --swap --help' ;;
	run) options='--strict --permissive --share-guest-memfd --huge --verbose --help --' ;;
	*) return ;;
	esac
	if [ "${COMP_WORDS[1]}" = run ]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--) [ "$i" = $((COMP_CWORD - 1)) ] || return 0 ;;
			-*) ;;
			*) return 0 ;;
			esac
		done
	elif [ "$prev" = --pid ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(offmap audit --list 2>/dev/null)" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [ "${COMP_WORDS[1]}" != audit ] && [ "${COMP_WORDS[1]}" != stat ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	fi
}

complete -o default -F _offmap offmap
