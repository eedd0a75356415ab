# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that means harm to whoever reads what it says, and a playbook that uses all of it.

The playbook does with what comes from outside what playbooks do: it shows it, compares it, copies it into facts, files
and other tasks' options. Whatever of it were taken for a template, or for anything else than text, would leave a trace.
"""

import json
import os
import subprocess
import threading

import yaml

from ansible_collections.ovm.messaging.plugins.module_utils import report
from ansible_collections.ovm.messaging.plugins.module_utils.channel.guest_end import GuestEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.host_end import HostEnd
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message
from ansible_collections.ovm.messaging.plugins.module_utils.channel.xenstore import XenStore
from lab.guest import Guest

#: Seconds that anything but a playbook may take.
PATIENCE = 60
# Seconds after which a playbook is taken to hang.
_LONGEST = 600


def traps(trace):
    """Texts that somebody might take for something else, by a key that tells which; each touches a file of its own.

    :param pathlib.Path trace: the folder for these files, which has to stay empty.
    """

    def touch(name):
        return "lookup('pipe', 'touch %s')" % (trace / name)

    return {
        "expression": "{{ %s }}" % touch("expression"),
        "statement": "{%% set x = %s %%}" % touch("statement"),
        "both": "{# #}{%% if %s %%}{%% endif %%}{{ 7 * 7 }}" % touch("both"),
        "header": "#jinja2: variable_start_string:'<<', variable_end_string:'>>'\n<<%s>>" % touch("header"),
        "bare": touch("bare"),
        "nested": "{{ '{{' }} %s {{ '}}' }}" % touch("nested"),
        "list": "[{{ %s }}]" % touch("list"),
        "tag": "!unsafe {{ %s }}" % touch("tag"),
        "vault": "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3031",
        "vaulted": "$ANSIBLE_VAULT;1.1;AES256\n3031323334",
        "unsafe": json.dumps({"__ansible_unsafe": "{{ %s }}" % touch("unsafe")}),
        "tagged": json.dumps({"__ansible_type": "TrustedAsTemplate", "value": "{{ %s }}" % touch("tagged")}),
        "python": "!!python/object/apply:os.system ['touch %s']" % (trace / "python"),
        "shell": "$(touch %s) `touch %s`;touch %s\n#" % ((trace / "shell",) * 3),
        "terminal": "\x1b[2J\x1b]0;x\x07\x9b31m\u202egnp.\u2066\u2028",
        "facts": json.dumps({"ansible_facts": {"ansible_connection": "ssh"}, "changed": True}),
    }


#: Keys that mean something to Ansible where they are members of a result.
KEYS = ("__ansible_unsafe", "__ansible_vault", "__ansible_type", "ansible_facts", "ansible_python_interpreter",
        "_ansible_no_log", "failed", "exception", "invocation", "../../etc", "-i", "a\nb", "\x1b[2J", "{{ 1 }}",
        "<b>")  # fmt: skip


#: The name of a machine that would clear the screen and turn the line around; and what is to be seen of it.
NAME, NAMED = "\x1b[2J\u202eweb", "[2J\\\\u202eweb"


def both(traps):
    """The traps, and the keys of KEYS."""
    return dict(traps, **dict.fromkeys(KEYS, "x"))


def send(host, guest, traps):
    """Send all of it to a guest, as a manager would.

    :param XenStore host: of dom0.
    """
    end = HostEnd(host, guest.domid)
    for key, value in both(traps).items():
        end.send(Message(key.encode(), value.encode()), PATIENCE)


class Agent:
    """What runs in the guest: it says all that it knows, and answers each message with a trap. A context manager.

    :param Guest guest: where.
    :param dict traps: what it says, by key, besides KEYS; and what it answers to each message.
    """

    def __init__(self, guest, traps):
        self._guest, self._traps = guest, traps
        self._end, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_exc):
        self._end.set()
        self._thread.join(PATIENCE)

    def _run(self):
        evil = self._traps["expression"]
        script = {"name": evil, "status": evil, "changed": evil, "seconds": "1", "message": evil}
        configuration = {"boot": "b1", "state": "done", "target": evil, "failed": [evil], "scripts": [script]}
        interfaces = [{"name": evil, "mac": evil, "addresses": [evil, "192.0.2.7/24"]}]
        with XenStore(self._guest.path, timeout=PATIENCE) as store:
            end = GuestEnd(store)
            for pair in (
                report.guest("b1", evil),
                report.interfaces(interfaces),
                (report.CONFIGURATION, json.dumps(configuration).encode()),
                *((key.encode(), value.encode()) for key, value in both(self._traps).items()),
            ):
                end.send(Message(*pair), PATIENCE)
            end.inbox.watch(b"arrived")
            self._ready.set()
            while not self._end.is_set():
                for _arrival in list(end.inbox.receive()):
                    for key, value in self._traps.items():
                        end.send(Message(b"answer." + key.encode(), value.encode()), PATIENCE)
                store.wait(0.1)


def playbook(folder, traps, guest, victim, port):
    """The playbook.

    :param pathlib.Path folder: for what it needs and writes.
    :param dict traps: all of them.
    :param Guest guest: the guest that means harm.
    :param Guest victim: one that somebody else has sent the traps to.
    :param int port: the gateway's.
    :returns: a list of plays, for YAML.
    """
    names = ", ".join("'%s'" % key for key in traps)
    source = [
        "r.received[item]",
        "r.vms[0].received[item]",
        "(r.history | selectattr('key', 'equalto', item) | first).value",
        "sent.answers['answer.' ~ item]",
        "found[(wanted | list).index(item)]",
        "hostvars[groups['machines'][0]].ovm_received[item]",
        "g.params[item]",
    ]
    all_of = "{{ texts | dict2items | map(attribute='value') | map('join', '|') | join('|') }}"
    tasks = [
        {"ovm.messaging.ovm_vm_message_info": {"vm": guest.uuid, "history": True, "events": True}, "register": "r"},
        {
            "ovm.messaging.ovm_vm_message": {
                "vm": guest.uuid,
                "messages": {"ask": "{{ 1000000 | random }}"},
                "wait_for": [{"key": "answer." + key} for key in traps],
                "wait_timeout": PATIENCE,
            },
            "register": "sent",
        },
        {
            "ovm.messaging.ovm_guest_param_info": {
                "backend": "xenstore",
                "xenstore_path": victim.path,
                "state_dir": str(folder / "state"),
            },
            "register": "g",
        },
        {
            "ansible.builtin.set_fact": {
                "found": "{{ query('ovm.messaging.vm_message', %s, vm='%s', host='127.0.0.1', port=%d) }}"
                % (names, guest.uuid, port)
            }
        },
        # Nothing comes of it, and the error names the machine.
        {
            "ovm.messaging.ovm_vm_message_info": {
                "vm": victim.uuid,
                "keys": ["never"],
                "wait": True,
                "wait_timeout": 0.1,
            },
            "register": "failed",
            "ignore_errors": True,
        },
        {
            "ansible.builtin.assert": {
                "that": ["'%s' in failed.msg" % NAMED, "failed is failed"],
                "quiet": True,
            }
        },
        {"ansible.builtin.debug": {"msg": ["{{ r }}", "{{ sent }}", "{{ g }}", "{{ found }}", "{{ hostvars }}"]}},
        {
            "ansible.builtin.set_fact": {
                "texts": "{{ texts | default({}) | combine({item: [%s]}) }}" % ", ".join(source)
            },
            "loop": "{{ wanted | list }}",
        },
        {
            "name": "Says {{ texts.expression[0] }} and {{ texts.statement[3] }}",
            "ansible.builtin.debug": {
                "msg": "it says {{ texts[item] }} and {{ texts[item][0] }}{{ texts[item] | to_json }}"
            },
            "loop": "{{ texts | list }}",
            "when": ["texts[item][0] != 'x'", "texts[item][3] is string", "texts.expression[4] | length > 7"],
        },
        {
            "ansible.builtin.assert": {
                "that": ["texts[item] | unique == [wanted[item]]", "texts[item] | length == %d" % len(source)],
                "quiet": True,
            },
            "loop": "{{ wanted | list }}",
        },
        {
            "ansible.builtin.assert": {
                "that": [
                    "r.report.configuration.target == wanted.expression",
                    "r.report.configuration.failed == [wanted.expression]",
                    "r.report.configuration.scripts[0].values() | unique == [wanted.expression]",
                    "hostvars[groups['machines'][0]].composed == wanted.expression",
                    "hostvars[groups['machines'][0]].joined == wanted.expression ~ 'x'",
                    "hostvars[groups['machines'][0]].ovm_name == wanted.expression",
                    "r.name == wanted.expression",
                ],
                "quiet": True,
            }
        },
        {"ansible.builtin.copy": {"content": all_of, "dest": "{{ folder }}/copied", "mode": "0600"}},
        {"ansible.builtin.template": {"src": "{{ folder }}/template.j2", "dest": "{{ folder }}/made", "mode": "0600"}},
        {"ansible.builtin.command": {"argv": ["printf", "%s", all_of]}, "register": "printed"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "lookup('ansible.builtin.file', folder ~ '/copied', rstrip=false) == expected",
                    "lookup('ansible.builtin.file', folder ~ '/made', rstrip=false) == '<' ~ expected ~ '>'",
                    "printed.stdout == expected",
                ],
                "quiet": True,
            },
            "vars": {"expected": all_of},
        },
    ]
    here = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "folder": str(folder),
        "wanted": "{{ lookup('ansible.builtin.file', '%s') | from_json }}" % (folder / "traps.json"),
    }
    return [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "connection": "local",
            "module_defaults": {"group/ovm.messaging.manager": {"port": port, "host": "127.0.0.1"}},
            "vars": here,
            "tasks": tasks,
        }
    ]


def write(folder, said, plays):
    """Put everything into a folder.

    :param dict said: the traps.
    :returns: the arguments of ansible-playbook.
    """
    (folder / "traps.json").write_text(json.dumps(said))
    (folder / "template.j2").write_text(
        "<{% for each in texts.values() %}{{ each | join('|') }}{{ '' if loop.last else '|' }}{% endfor %}>"
    )
    (folder / "play.yml").write_text(yaml.safe_dump(plays, allow_unicode=True))
    (folder / "ovm.yml").write_text(
        yaml.safe_dump(
            {
                "plugin": "ovm.messaging.ovm",
                "hostnames": ["ovm_received['expression'] ~ ovm_received['terminal']"],
                "compose": {"composed": "ovm_received['expression']", "joined": "ovm_received['expression'] ~ 'x'"},
                "groups": {"machines": "ovm_received['statement'] != 'x'", "odd": "ovm_received['bare']"},
                "keyed_groups": [
                    {"key": "ovm_received['both']", "prefix": "is"},
                    {"key": "ovm_name", "prefix": "called"},
                ],
                "filters": ["ovm_received['header'] != ''"],
            }
        )
    )
    return ["-i", str(folder / "ovm.yml"), "-i", "localhost,", str(folder / "play.yml")]


def play(command, environment, xenstored, gateway, host, trace, folder):
    """Run the playbook, and see that nothing of it was more than text.

    :param command: ansible-playbook, with what goes before it.
    :param dict environment: more variables for it.
    :param XenStore host: of dom0.
    :param pathlib.Path trace: an empty folder.
    :param pathlib.Path folder: for all else.
    :returns: what it has printed.
    """
    said = traps(trace)
    guest, victim = Guest(xenstored, 5, name=said["expression"]), Guest(xenstored, 6, name=NAME)
    send(host, victim, said)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("OVM_", "XENSTORED_"))}
    mine.update(environment, **gateway.environment(), COLUMNS="1000", ANSIBLE_NOCOLOR="1")
    with Agent(guest, said):
        arguments = write(folder, said, playbook(folder, said, guest, victim, gateway.port))
        done = subprocess.run(
            [*command, "-v", *arguments], env=mine, cwd=folder, check=False, encoding="utf-8", timeout=_LONGEST,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    # Neither our warnings nor our errors; results are what Ansible itself makes them.
    assert "\x1b" not in done.stdout and "\u202eweb' still lacks" not in done.stdout
    assert not list(trace.iterdir()), done.stdout
    return done.stdout
