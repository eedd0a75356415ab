# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovmd in fish

complete -c ovmd -f
complete -c ovmd -s p -l set-param -x -d 'Set param in format: key=value.'
complete -c ovmd -s g -l get-param -x -a '(timeout 2 ovmd -l 2>/dev/null | sed -n \'s/^{"\\([A-Za-z0-9._-]*\\)":.*/\\1/p\')' -d 'Get param value.'
complete -c ovmd -s r -l delete-param -x -a '(timeout 2 ovmd -l 2>/dev/null | sed -n \'s/^{"\\([A-Za-z0-9._-]*\\)":.*/\\1/p\')' -d 'Delete param by key name.'
complete -c ovmd -s x -l delete-params -d 'Delete all params.'
complete -c ovmd -s l -l list-params -d 'List all params.'
complete -c ovmd -s e -l event -x -d 'Inject event.'
complete -c ovmd -s s -l script -x -a 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown' -d 'Run script.'
complete -c ovmd -s d -l debug -x -a '0 1 2' -d 'Set debug level: 0(DEBUG_OFF), 1(DEBUG_STDERR) or 2(DEBUG_SYSLOG). Default: 2.'
complete -c ovmd -s f -l pid-file -r -F -d 'Set the pathname of the process ID (PID) file.'
complete -c ovmd -s t -l time-period -x -d 'Set the period for daemon mode(default=10 seconds).'
complete -c ovmd -s v -l version -d 'Show version number and exit.'
complete -c ovmd -s h -l help -d 'Show this help information.'
complete -c ovmd -l set-secret -x -a '(timeout 2 ovmd -l 2>/dev/null | sed -n \'s/^{"\\([A-Za-z0-9._-]*\\)":.*/\\1/p\')' -d 'Set param KEY to the value read from standard input.'
complete -c ovmd -l foreground -d 'Daemon: stay in the foreground.'
complete -c ovmd -l reports -x -a 'guest held configuration addresses none' -d 'Daemon: what to report to the host, of guest,held,configuration, addresses; or none (default=all).'
complete -c ovmd -l units -d 'Daemon: run scripts by ovm-template-config@.service.'
