# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovmd in bash
# shellcheck shell=bash

_ovmd() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
    COMPREPLY=()
    # Where = parts words, it is one of its own.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    -p | --set-param | -e | --event | -t | --time-period)
        :
        return
        ;;
    -g | --get-param | -r | --delete-param | --set-secret)
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(timeout 2 ovmd -l 2>/dev/null | sed -n 's/^{"\([A-Za-z0-9._-]*\)":.*/\1/p')
        return
        ;;
    -s | --script)
        mapfile -t COMPREPLY < <(compgen -W 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown' -- "$cur")
        return
        ;;
    -d | --debug)
        mapfile -t COMPREPLY < <(compgen -W '0 1 2' -- "$cur")
        return
        ;;
    -f | --pid-file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --reports)
        mapfile -t COMPREPLY < <(compgen -W 'guest held configuration addresses none' -- "$cur")
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '-p --set-param -g --get-param -r --delete-param -x --delete-params -l --list-params -e --event -s --script -d --debug -f --pid-file -t --time-period -v --version -h --help --set-secret --foreground --reports --units' -- "$cur")
}
complete -F _ovmd ovmd
