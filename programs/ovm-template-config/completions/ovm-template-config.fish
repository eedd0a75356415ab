# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-template-config in fish

function __ovm_template_config_operands
    set -l words (commandline -opc)
    set -e words[1]
    set -l found
    set -l skip
    for word in $words
        if set -q skip[1]
            set -e skip[1]
            continue
        end
        switch $word
            case -s --script -i --input -o --output --logfile --loglevel --logformat --report --secret --timeout --lock-timeout
                set skip 1
            case '-*'
            case '*'
                set -a found $word
        end
    end
    string join ' ' -- $found
end

complete -c ovm-template-config -f
complete -c ovm-template-config -s e -l enumerate -d 'list the parameters of the target, as JSON'
complete -c ovm-template-config -l human-readable -d 'with --enumerate: as a structure to read instead of JSON'
complete -c ovm-template-config -s s -l script -x -a '(set -q OVM_TEMPLATE_DIR; or set -l OVM_TEMPLATE_DIR /etc/template.d; ls -- $OVM_TEMPLATE_DIR/scripts 2>/dev/null)' -d 'only this script'
complete -c ovm-template-config -l stdin -d 'read the parameters from standard input, as \'ovmd -l\' prints them'
complete -c ovm-template-config -s c -l console-input -d 'ask for the parameters on the console'
complete -c ovm-template-config -l ovf-transport-iso -d 'take the parameters from the OVF environment on the CD'
complete -c ovm-template-config -s i -l input -x -d 'read the parameters from this descriptor'
complete -c ovm-template-config -s o -l output -x -d 'write the resulting parameters to this descriptor, as JSON'
complete -c ovm-template-config -l logfile -r -F -d 'log to this file; default /var/log/ovm-template-config.log'
complete -c ovm-template-config -l loglevel -x -a 'DEBUG INFO WARNING ERROR CRITICAL' -d 'log from this level on: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number;'
complete -c ovm-template-config -l logformat -x -d 'how a line of the log looks, as in Python\'s logging'
complete -c ovm-template-config -l version -d 'show the version and exit'
complete -c ovm-template-config -s h -l help -d 'show this help and exit'
complete -c ovm-template-config -l check -d 'have the scripts change nothing; those that cannot are skipped'
complete -c ovm-template-config -l report -x -d 'write to this descriptor how each script went, as JSON'
complete -c ovm-template-config -l secret -x -d 'the value of KEY is a secret; may be given several times'
complete -c ovm-template-config -l timeout -x -d 'how long each script may take; default 300'
complete -c ovm-template-config -l lock-timeout -x -d 'how long to wait for another run; default 600'
complete -c ovm-template-config -l initial-config -d 'configure the guest at its first boot, if that was asked for; without TARGET'
complete -c ovm-template-config -n 'set -l found (__ovm_template_config_operands); string match -q -- \'\' "$found"' -x -a 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown'
