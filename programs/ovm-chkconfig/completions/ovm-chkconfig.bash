# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-chkconfig in bash
# shellcheck shell=bash

_ovm_chkconfig() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
    COMPREPLY=()
    # Where = parts words, it is one of its own.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    --add | --del)
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null)
        return
        ;;
    --target)
        mapfile -t COMPREPLY < <(compgen -W 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown' -- "$cur")
        return
        ;;
    --root)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--list --add --del --target --version -h --help --root' -- "$cur")
        return
    fi
    local operands='' skip=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $skip$word in
        =) skip= ;;
        skip=) skip=skip ;;
        skip*) skip= ;;
        --add | --del | --target | --root) skip=skip ;;
        -*) ;;
        *) operands=${operands:+$operands }$word ;;
        esac
    done
    case $operands in
    '')
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
        done < <(ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null)
        ;;
    *' '*)
        :
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur")
        ;;
    esac
}
complete -F _ovm_chkconfig ovm-chkconfig
