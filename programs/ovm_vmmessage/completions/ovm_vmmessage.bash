# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm_vmmessage in bash
# shellcheck shell=bash

_ovm_vmmessage() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # Where = parts words, it is one of its own.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    -u | -p | -v | -U | -k | -V | -q | --port | --timeout)
        :
        return
        ;;
    -h)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
        return
        ;;
    --ca-file | --client-cert | --client-key)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '-u -p -h -v -U -k -V -q -X -E --value-from-stdin --quiet --verbose --log --no-log --port --ca-file --client-cert --client-key --insecure --timeout --version --help' -- "$cur")
}
complete -F _ovm_vmmessage ovm_vmmessage
