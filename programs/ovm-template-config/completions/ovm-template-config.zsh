#compdef ovm-template-config
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-template-config in zsh

__ovm_messaging_scripts() {
  local -a found
  found=(${(f)"$(ls -- "${OVM_TEMPLATE_DIR:-/etc/template.d}/scripts" 2>/dev/null)"})
  compadd -a found
}
local context state line ret=1
typeset -A opt_args
_arguments -s -S -C \
  '*-e[list the parameters of the target, as JSON]' '*--enumerate[list the parameters of the target, as JSON]' \
  '*--human-readable[with --enumerate\: as a structure to read instead of JSON]' \
  '*-s+[only this script]:NAME:__ovm_messaging_scripts' '*--script=[only this script]:NAME:__ovm_messaging_scripts' \
  '*--stdin[read the parameters from standard input, as '\''ovmd -l'\'' prints them]' \
  '*-c[ask for the parameters on the console]' '*--console-input[ask for the parameters on the console]' \
  '*--ovf-transport-iso[take the parameters from the OVF environment on the CD]' \
  '*-i+[read the parameters from this descriptor]:FD: ' '*--input=[read the parameters from this descriptor]:FD: ' \
  '*-o+[write the resulting parameters to this descriptor, as JSON]:FD: ' '*--output=[write the resulting parameters to this descriptor, as JSON]:FD: ' \
  '*--logfile=[log to this file; default /var/log/ovm-template-config.log]:FILE:_files' \
  '*--loglevel=[log from this level on\: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number;]:LEVEL:(DEBUG INFO WARNING ERROR CRITICAL)' \
  '*--logformat=[how a line of the log looks, as in Python'\''s logging]:FORMAT: ' \
  '*--version[show the version and exit]' \
  '*-h[show this help and exit]' '*--help[show this help and exit]' \
  '*--check[have the scripts change nothing; those that cannot are skipped]' \
  '*--report=[write to this descriptor how each script went, as JSON]:FD: ' \
  '*--secret=[the value of KEY is a secret; may be given several times]:KEY: ' \
  '*--timeout=[how long each script may take; default 300]:SECONDS: ' \
  '*--lock-timeout=[how long to wait for another run; default 600]:SECONDS: ' \
  '*--initial-config[configure the guest at its first boot, if that was asked for; without TARGET]' \
  '*:: :->operand' && ret=0
if [[ $state == operand ]]; then
  case "${(j: :)words[1,CURRENT-1]}" in
    (''))
      compadd -- configure unconfigure reconfigure cleanup suspend resume migrate shutdown && ret=0 ;;
  esac
fi
return ret
