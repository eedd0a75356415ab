#compdef ovm_vmmessage
# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# made by python -m toolchain.completions: what completes ovm_vmmessage in zsh

_arguments -s -S \
  '*-u+[User of the manager.]:USER: ' \
  '*-p+[The user'\''s password. Others can see it\: better -E, or be asked.]:PASSWORD: ' \
  '*-h+[The manager'\''s host. Default\: localhost.]:HOST[\:PORT]:_hosts' \
  '*-v+[Name of the virtual machine.]:NAME: ' \
  '*-U+[UUID of the virtual machine, instead of its name.]:UUID: ' \
  '*-k+[Send a message with this key,]:KEY: ' \
  '*-V+[and this value.]:VALUE: ' \
  '*-q+[Query the value that the virtual machine has sent with this key.]:KEY: ' \
  '*-X[No effect\: the connection always uses TLS.]' \
  '*-E[The password is in the environment variable OVM_PASSWORD.]' \
  '*--value-from-stdin[Read the value to be sent from standard input, instead of -V.]' \
  '*--quiet[Print the queried value only.]' \
  '*--verbose[Tell on standard error what is waited for, as on a terminal.]' \
  '*--log[Have the manager remember what is sent.]' \
  '*--no-log[Have it not remembered (the default).]' \
  '*--port=[The manager'\''s port. Default\: 7002.]:PORT: ' \
  '*--ca-file=[Certificates to trust, PEM. Default\: the system'\''s.]:FILE:_files' \
  '*--client-cert=[Certificate to log in with, PEM.]:FILE:_files' \
  '*--client-key=[Its key, unless the certificate'\''s file has it.]:FILE:_files' \
  '*--insecure[Do not verify the manager'\''s certificate.]' \
  '*--timeout=[Longest wait for the manager, and for its job. Default\: 300.]:SECONDS: ' \
  '*--version[Show version number and exit.]' \
  '*--help[Show this help information and exit.]'
