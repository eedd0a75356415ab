# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm-chkconfig in fish

function __ovm_chkconfig_operands
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
            case --add --del --target --root
                set skip 1
            case '-*'
            case '*'
                set -a found $word
        end
    end
    string join ' ' -- $found
end

complete -c ovm-chkconfig -f
complete -c ovm-chkconfig -l list -d 'show for which targets the scripts, or one of them, are on, with the priority'
complete -c ovm-chkconfig -l add -x -a '(set -q OVM_TEMPLATE_DIR; or set -l OVM_TEMPLATE_DIR /etc/template.d; ls -- $OVM_TEMPLATE_DIR/scripts 2>/dev/null)' -d 'turn a script on for the targets that its header has, and off for the others'
complete -c ovm-chkconfig -l del -x -a '(set -q OVM_TEMPLATE_DIR; or set -l OVM_TEMPLATE_DIR /etc/template.d; ls -- $OVM_TEMPLATE_DIR/scripts 2>/dev/null)' -d 'turn a script off for every target'
complete -c ovm-chkconfig -l target -x -a 'configure unconfigure reconfigure cleanup suspend resume migrate shutdown' -d 'the targets to turn on or off; all that the script\'s header has if left out'
complete -c ovm-chkconfig -l version -d 'show the version and exit'
complete -c ovm-chkconfig -s h -l help -d 'show this help and exit'
complete -c ovm-chkconfig -l root -x -a '(__fish_complete_directories)' -d 'work on the system that is mounted at DIR'
complete -c ovm-chkconfig -n 'set -l found (__ovm_chkconfig_operands); string match -q -- \'\' "$found"' -x -a '(set -q OVM_TEMPLATE_DIR; or set -l OVM_TEMPLATE_DIR /etc/template.d; ls -- $OVM_TEMPLATE_DIR/scripts 2>/dev/null)'
complete -c ovm-chkconfig -n 'set -l found (__ovm_chkconfig_operands); string match -q -- \'*\' "$found"; and not begin; string match -q -- \'\' "$found"; or string match -q -- \'* *\' "$found"; end' -x -a 'on off'
