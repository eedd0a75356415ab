# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm_vmmessage in fish

complete -c ovm_vmmessage -f
complete -c ovm_vmmessage -s u -x -d 'User of the manager.'
complete -c ovm_vmmessage -s p -x -d 'The user\'s password. Others can see it: better -E, or be asked.'
complete -c ovm_vmmessage -s h -x -a '(__fish_print_hostnames)' -d 'The manager\'s host. Default: localhost.'
complete -c ovm_vmmessage -s v -x -d 'Name of the virtual machine.'
complete -c ovm_vmmessage -s U -x -d 'UUID of the virtual machine, instead of its name.'
complete -c ovm_vmmessage -s k -x -d 'Send a message with this key,'
complete -c ovm_vmmessage -s V -x -d 'and this value.'
complete -c ovm_vmmessage -s q -x -d 'Query the value that the virtual machine has sent with this key.'
complete -c ovm_vmmessage -s X -d 'No effect: the connection always uses TLS.'
complete -c ovm_vmmessage -s E -d 'The password is in the environment variable OVM_PASSWORD.'
complete -c ovm_vmmessage -l value-from-stdin -d 'Read the value to be sent from standard input, instead of -V.'
complete -c ovm_vmmessage -l quiet -d 'Print the queried value only.'
complete -c ovm_vmmessage -l verbose -d 'Tell on standard error what is waited for, as on a terminal.'
complete -c ovm_vmmessage -l log -d 'Have the manager remember what is sent.'
complete -c ovm_vmmessage -l no-log -d 'Have it not remembered (the default).'
complete -c ovm_vmmessage -l port -x -d 'The manager\'s port. Default: 7002.'
complete -c ovm_vmmessage -l ca-file -r -F -d 'Certificates to trust, PEM. Default: the system\'s.'
complete -c ovm_vmmessage -l client-cert -r -F -d 'Certificate to log in with, PEM.'
complete -c ovm_vmmessage -l client-key -r -F -d 'Its key, unless the certificate\'s file has it.'
complete -c ovm_vmmessage -l insecure -d 'Do not verify the manager\'s certificate.'
complete -c ovm_vmmessage -l timeout -x -d 'Longest wait for the manager, and for its job. Default: 300.'
complete -c ovm_vmmessage -l version -d 'Show version number and exit.'
complete -c ovm_vmmessage -l help -d 'Show this help information and exit.'
