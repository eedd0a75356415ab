#compdef ovm-chkconfig
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-chkconfig in zsh

__ovm_messaging_scripts() {
  local -a found
  found=(${(f)"$(ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null)"})
  compadd -a found
}
local context state line ret=1
typeset -A opt_args
_arguments -s -S -C \
  '*--list[show for which targets the scripts, or one of them, are on, with the priority]' \
  '*--add=[turn a script on for the targets that its header has, and off for the others]:NAME:__ovm_messaging_scripts' \
  '*--del=[turn a script off for every target]:NAME:__ovm_messaging_scripts' \
  '*--target=[the targets to turn on or off; all that the script'\''s header has if left out]:TARGET:(configure unconfigure reconfigure cleanup suspend resume migrate shutdown)' \
  '*--version[show the version and exit]' \
  '*-h[show this help and exit]' '*--help[show this help and exit]' \
  '*--root=[work on the system that is mounted at DIR]:DIR:_files -/' \
  '*:: :->operand' && ret=0
if [[ $state == operand ]]; then
  case "${(j: :)words[1,CURRENT-1]}" in
    (''))
      __ovm_messaging_scripts && ret=0 ;;
    (*' '*))
      _message 'nothing more' ;;
    (*))
      compadd -- on off && ret=0 ;;
  esac
fi
return ret
