# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-template-config in bash
# shellcheck shell=bash

_ovm_template_config() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
    COMPREPLY=()
    # Where = parts words, it is one of its own.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    -s | --script)
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null)
        return
        ;;
    -i | --input | -o | --output | --logformat | --report | --secret | --timeout | --lock-timeout)
        :
        return
        ;;
    --logfile)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --loglevel)
        mapfile -t COMPREPLY < <(compgen -W 'DEBUG INFO WARNING ERROR CRITICAL' -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-e --enumerate --human-readable -s --script --stdin -c --console-input --ovf-transport-iso -i --input -o --output --logfile --loglevel --logformat --version -h --help --check --report --secret --timeout --lock-timeout --initial-config' -- "$cur")
        return
    fi
    local operands='' skip=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $skip$word in
        =) skip= ;;
        skip=) skip=skip ;;
        skip*) skip= ;;
        -s | --script | -i | --input | -o | --output | --logfile | --loglevel | --logformat | --report | --secret | --timeout | --lock-timeout) skip=skip ;;
        -*) ;;
        *) operands=${operands:+$operands }$word ;;
        esac
    done
    case $operands in
    '')
        mapfile -t COMPREPLY < <(compgen -W 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown' -- "$cur")
        ;;
    esac
}
complete -F _ovm_template_config ovm-template-config
