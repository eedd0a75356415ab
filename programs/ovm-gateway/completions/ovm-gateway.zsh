#compdef ovm-gateway
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-gateway in zsh

__ovm_messaging_users() {
  local -a found
  found=(${(f)"$(timeout 2 ovm-gateway user list 2>/dev/null)"})
  compadd -a found
}
local context state line ret=1
typeset -A opt_args
_arguments -s -S -C \
  '*-h[show this help message and exit]' '*--help[show this help message and exit]' \
  '*--version[show program'\''s version number and exit]' \
  '*--config=[the configuration]:FILE:_files' \
  '*:: :->operand' && ret=0
if [[ $state == operand ]]; then
  case "${(j: :)words[1,CURRENT-1]}" in
    (''))
      compadd -- serve check certificate user && ret=0 ;;
    ('user'))
      compadd -- list add check remove && ret=0 ;;
    ('user add'))
      _message 'nothing more' ;;
    ('user check'))
      __ovm_messaging_users && ret=0 ;;
    ('user remove'))
      __ovm_messaging_users && ret=0 ;;
    (*))
      _message 'nothing more' ;;
  esac
fi
return ret
