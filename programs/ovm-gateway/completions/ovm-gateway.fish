# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-gateway in fish

function __ovm_gateway_operands
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
            case --config
                set skip 1
            case '-*'
            case '*'
                set -a found $word
        end
    end
    string join ' ' -- $found
end

complete -c ovm-gateway -f
complete -c ovm-gateway -s h -l help -d 'show this help message and exit'
complete -c ovm-gateway -l version -d 'show program\'s version number and exit'
complete -c ovm-gateway -l config -r -F -d 'the configuration'
complete -c ovm-gateway -n 'set -l found (__ovm_gateway_operands); string match -q -- \'\' "$found"' -x -a 'serve check certificate user'
complete -c ovm-gateway -n 'set -l found (__ovm_gateway_operands); string match -q -- \'user\' "$found"' -x -a 'list add check remove'
complete -c ovm-gateway -n 'set -l found (__ovm_gateway_operands); string match -q -- \'user check\' "$found"' -x -a '(timeout 2 ovm-gateway user list 2>/dev/null)'
complete -c ovm-gateway -n 'set -l found (__ovm_gateway_operands); string match -q -- \'user remove\' "$found"' -x -a '(timeout 2 ovm-gateway user list 2>/dev/null)'
