#compdef ovmd
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovmd in zsh

__ovm_messaging_keys() {
  local -a found
  found=(${(f)"$(timeout 2 ovmd -l 2>/dev/null | sed -n 's/^{"\([A-Za-z0-9._-]*\)":.*/\1/p')"})
  compadd -a found
}
_arguments -s -S \
  '*-p+[Set param in format\: key=value.]:PARAM: ' '*--set-param=[Set param in format\: key=value.]:PARAM: ' \
  '*-g+[Get param value.]:KEY:__ovm_messaging_keys' '*--get-param=[Get param value.]:KEY:__ovm_messaging_keys' \
  '*-r+[Delete param by key name.]:KEY:__ovm_messaging_keys' '*--delete-param=[Delete param by key name.]:KEY:__ovm_messaging_keys' \
  '*-x[Delete all params.]' '*--delete-params[Delete all params.]' \
  '*-l[List all params.]' '*--list-params[List all params.]' \
  '*-e+[Inject event.]:EVENT: ' '*--event=[Inject event.]:EVENT: ' \
  '*-s+[Run script.]:SCRIPT:(configure unconfigure reconfigure cleanup suspend resume migrate shutdown)' '*--script=[Run script.]:SCRIPT:(configure unconfigure reconfigure cleanup suspend resume migrate shutdown)' \
  '*-d+[Set debug level\: 0(DEBUG_OFF), 1(DEBUG_STDERR) or 2(DEBUG_SYSLOG). Default\: 2.]:LEVEL:(0 1 2)' '*--debug=[Set debug level\: 0(DEBUG_OFF), 1(DEBUG_STDERR) or 2(DEBUG_SYSLOG). Default\: 2.]:LEVEL:(0 1 2)' \
  '*-f+[Set the pathname of the process ID (PID) file.]:FILENAME:_files' '*--pid-file=[Set the pathname of the process ID (PID) file.]:FILENAME:_files' \
  '*-t+[Set the period for daemon mode(default=10 seconds).]:secs: ' '*--time-period=[Set the period for daemon mode(default=10 seconds).]:secs: ' \
  '*-v[Show version number and exit.]' '*--version[Show version number and exit.]' \
  '*-h[Show this help information.]' '*--help[Show this help information.]' \
  '*--set-secret=[Set param KEY to the value read from standard input.]:KEY:__ovm_messaging_keys' \
  '*--foreground[Daemon\: stay in the foreground.]' \
  '*--reports=[Daemon\: what to report to the host, of guest,held,configuration, addresses; or none (default=all).]:LIST:(guest held configuration addresses none)' \
  '*--units[Daemon\: run scripts by ovm-template-config@.service.]'
