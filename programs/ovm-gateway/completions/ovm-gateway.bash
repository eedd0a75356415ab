# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-gateway in bash
# shellcheck shell=bash

_ovm_gateway() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
    COMPREPLY=()
    # Where = parts words, it is one of its own.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    --config)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-h --help --version --config' -- "$cur")
        return
    fi
    local operands='' skip=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $skip$word in
        =) skip= ;;
        skip=) skip=skip ;;
        skip*) skip= ;;
        --config) skip=skip ;;
        -*) ;;
        *) operands=${operands:+$operands }$word ;;
        esac
    done
    case $operands in
    '')
        mapfile -t COMPREPLY < <(compgen -W 'serve check certificate user' -- "$cur")
        ;;
    'user')
        mapfile -t COMPREPLY < <(compgen -W 'list add check remove' -- "$cur")
        ;;
    'user add')
        :
        ;;
    'user check')
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(timeout 2 ovm-gateway user list 2>/dev/null)
        ;;
    'user remove')
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(timeout 2 ovm-gateway user list 2>/dev/null)
        ;;
    *)
        :
        ;;
    esac
}
complete -F _ovm_gateway ovm-gateway
