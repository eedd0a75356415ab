# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that all modules and plugins of the manager's side share. Private to this collection."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  vm:
    description:
      - The virtual machine, by its name, its id, or its UUID with or without dashes.
      - Names need not be unique. Where several machines have this name, the task fails and lists their ids.
      - Give either this or O(vms).
    type: str
  vms:
    description:
      - Several virtual machines, each by its name, id or UUID. One that is named twice counts once.
      - Each succeeds or fails on its own. When all are done, the task fails if any of them did, and names those.
    type: list
    elements: str
  job_timeout:
    description:
      - How many seconds the manager's job of sending may take.
    type: float
    default: 300.0
requirements:
  - Python 3.6 or later where the task runs.
"""

    # Where a manager is, and who logs in: also for plugins.
    CONNECTION = r"""
options:
  concurrency:
    description:
      - With how many virtual machines to work at the same time.
    type: int
    default: 4
  transport:
    description:
      - How messages reach the virtual machines.
      - V(rest) is the REST interface of an Oracle VM Manager or of C(ovm-gateway). The task runs anywhere, such as on
        the controller.
      - V(xenstore) is XenStore itself. The task runs on the Xen host then, as root, and needs no manager.
      - The environment variable E(OVM_TRANSPORT) is the fallback.
    type: str
    choices: [rest, xenstore]
    default: rest
  host:
    description:
      - The manager's name or address. Needed with O(transport=rest).
      - The environment variable E(OVM_HOST) is the fallback.
    type: str
  port:
    description:
      - The manager's port.
      - The environment variable E(OVM_PORT) is the fallback.
    type: int
    default: 7002
  username:
    description:
      - The manager's user to log in as. Not needed with O(client_cert).
      - The environment variable E(OVM_USER) is the fallback.
    type: str
  password:
    description:
      - The password of O(username).
      - The environment variable E(OVM_PASSWORD) is the fallback.
    type: str
  client_cert:
    description:
      - File with a client's certificate in PEM form, to log in with. It may hold the key as well.
      - The environment variable E(OVM_CLIENT_CERT) is the fallback.
    type: path
  client_key:
    description:
      - File with the key of O(client_cert) in PEM form, without a passphrase.
      - The environment variable E(OVM_CLIENT_KEY) is the fallback.
    type: path
  ca_path:
    description:
      - File with the certificates in PEM form to trust, instead of the system's. Managers have one that they made
        themselves.
      - The environment variable E(OVM_CA_FILE) is the fallback.
    type: path
  validate_certs:
    description:
      - Whether to verify the manager's certificate. Without, anybody on the way can read passwords and messages.
      - The environment variable E(OVM_VALIDATE_CERTS) is the fallback.
    type: bool
    default: true
  connect_timeout:
    description:
      - How many seconds a connection to the manager may take.
    type: float
    default: 10.0
  timeout:
    description:
      - How many seconds the manager, or with O(transport=xenstore) XenStore, may take for any answer.
    type: float
    default: 60.0
  retries:
    description:
      - How often to repeat a request that failed on the way. What may have been sent already is not repeated.
    type: int
    default: 4
  ready_timeout:
    description:
      - How many seconds a manager that starts may take until it runs.
    type: float
    default: 300.0
  dialect:
    description:
      - What could not be confirmed about the vendor's manager, should yours differ, as a dict of names and texts, such
        as C(direction_parameter). An unknown name fails and lists all that there are.
    type: dict
  xenstore_path:
    description:
      - With O(transport=xenstore), the device or unix socket to reach XenStore through.
      - The environment variable E(XENSTORED_PATH) is the fallback, then the usual places are tried.
    type: path
  state_dir:
    description:
      - With O(transport=xenstore), the directory where received and logged messages are kept. C(ovm-gateway) on the
        same host has to use the same one.
      - The environment variable E(OVM_GATEWAY_DIR) is the fallback.
    type: path
    default: /var/lib/ovm-gateway
requirements:
  - With O(transport=rest), the Python library requests.
  - With O(transport=xenstore), root on the Xen host. The XenStore client comes with the collection.
"""

    # Where else plugins take the same from. Inventory plugins take variables of the command line, -e.
    PLUGINS = r"""
options:
  transport:
    env:
      - name: OVM_TRANSPORT
    ini:
      - section: ovm_messaging
        key: transport
    vars:
      - name: ovm_messaging_transport
  host:
    env:
      - name: OVM_HOST
    ini:
      - section: ovm_messaging
        key: host
    vars:
      - name: ovm_messaging_host
  port:
    env:
      - name: OVM_PORT
    ini:
      - section: ovm_messaging
        key: port
    vars:
      - name: ovm_messaging_port
  username:
    env:
      - name: OVM_USER
    ini:
      - section: ovm_messaging
        key: username
    vars:
      - name: ovm_messaging_username
  password:
    env:
      - name: OVM_PASSWORD
    vars:
      - name: ovm_messaging_password
  client_cert:
    env:
      - name: OVM_CLIENT_CERT
    ini:
      - section: ovm_messaging
        key: client_cert
    vars:
      - name: ovm_messaging_client_cert
  client_key:
    env:
      - name: OVM_CLIENT_KEY
    ini:
      - section: ovm_messaging
        key: client_key
    vars:
      - name: ovm_messaging_client_key
  ca_path:
    env:
      - name: OVM_CA_FILE
    ini:
      - section: ovm_messaging
        key: ca_path
    vars:
      - name: ovm_messaging_ca_path
  validate_certs:
    env:
      - name: OVM_VALIDATE_CERTS
    ini:
      - section: ovm_messaging
        key: validate_certs
    vars:
      - name: ovm_messaging_validate_certs
  connect_timeout:
    ini:
      - section: ovm_messaging
        key: connect_timeout
    vars:
      - name: ovm_messaging_connect_timeout
  timeout:
    ini:
      - section: ovm_messaging
        key: timeout
    vars:
      - name: ovm_messaging_timeout
  retries:
    ini:
      - section: ovm_messaging
        key: retries
    vars:
      - name: ovm_messaging_retries
  ready_timeout:
    ini:
      - section: ovm_messaging
        key: ready_timeout
    vars:
      - name: ovm_messaging_ready_timeout
  dialect:
    vars:
      - name: ovm_messaging_dialect
  xenstore_path:
    env:
      - name: XENSTORED_PATH
    ini:
      - section: ovm_messaging
        key: xenstore_path
    vars:
      - name: ovm_messaging_xenstore_path
  state_dir:
    env:
      - name: OVM_GATEWAY_DIR
    ini:
      - section: ovm_messaging
        key: state_dir
    vars:
      - name: ovm_messaging_state_dir
"""
