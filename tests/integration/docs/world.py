# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of a page: a real XenStore daemon, guests, a gateway over TLS, the programs, and shells on each."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import yaml

from lab.daemon import Daemon
from lab.gateway import PROGRAM, Gateway
from lab.guest import Guest
from lab.process import gone

from .shell import PATIENCE, Shell

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
#: The address that the pages give the manager.
MANAGER = "manager.example.com"
#: Where pages and programs speak of a machine's own files. Here these are below the world's folder.
_PLACES = re.compile(
    r"(?<![\w./:@-])/(?=(?:etc|run|root|var|mnt|srv|opt|usr/sbin|usr/local|usr/share)/)"
    # What is this system's own begins alike where the clone is in such a place.
    + "".join(r"(?!%s/)" % re.escape(str(path).lstrip("/")) for path in (ROOT, os.environ["OVM_CACHE"]))
)
#: What the reader's vault has.
_SECRETS = ("app_password", "vault_app_password", "vault_app_secret", "vault_root_password", "oracle_password")
_OVMD = """\
#!/bin/sh
# The pid file of a daemon on its own is in this world, too.
[ $# -gt 0 ] || set -- --pid-file={root}/run/ovmd.pid
exec {root}/usr/sbin/ovmd "$@"
"""
#: A time zone as small as they come.
_UTC = b"TZif" + b"\0" * 16 + b"".join(n.to_bytes(4, "big") for n in (0, 0, 0, 0, 1, 4)) + b"\0" * 6 + b"UTC\0"
_WITH = """\
#!/bin/sh
exec env {variables} {command} "$@"
"""


class World:
    """A context manager, which makes it all and takes it away.

    :param Story story: what the page wants.
    :param pathlib.Path programs: the folder of the built programs.
    :ivar pathlib.Path root: what is ``/`` to the page.
    :ivar pathlib.Path folder: the reader's folder.
    :ivar dict guests: name -> lab.guest.Guest.
    :ivar Gateway gateway: the manager, or None.
    """

    def __init__(self, story, programs):
        self.story, self._programs = story, programs
        self.guests, self._shells, self._helpers, self.gateway = {}, {}, [], None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            # Short: it stands in first lines and in addresses of sockets.
            self.root = pathlib.Path(tempfile.mkdtemp(prefix="ovm-docs-", dir="/tmp"))
            self._stack.callback(shutil.rmtree, self.root, ignore_errors=True)
            self.folder = self.root / "home"
            self._make_folders()
            self.daemon = self._stack.enter_context(Daemon("c"))
            for number, name in enumerate(self.story.guests, 5):
                self.guests[name] = Guest(self.daemon, number, name=name)
                self._install(name)
            if self.story.gateway:
                self.gateway = self._stack.enter_context(Gateway(self.daemon))
                for place in ("etc/ssl", "etc/ssl/certs"):
                    shutil.copy(self.gateway.ca, self.root / place / "manager.pem")
            self._tell_ansible()
            for name, content in self.story.files.items():
                self.write(name, content)
            self._stack.callback(self._end)
            if self.story.end:
                self._stack.callback(self.story.end, self)
            if self.story.daemons:
                for name in self.guests:
                    self.start_daemon(name)
            if self.story.setup:
                self.story.setup(self)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc):
        return self._stack.__exit__(*exc)

    # --- what a page says, and what it is here

    def real(self, text):
        """A text of the page as it holds here."""
        for written, here in self.story.replace.items():
            text = text.replace(written, here.format(root=self.root))
        return _PLACES.sub("%s/" % self.root, text).replace(MANAGER, "localhost")

    def shown(self, text):
        """A text that was printed here as the page has it."""
        for written, here in self.story.replace.items():
            text = text.replace(here.format(root=self.root), written)
        text = text.replace(str(self.root), "")
        if self.gateway:
            text = text.replace("localhost:%d" % self.gateway.port, MANAGER)
        return re.sub(r"\blocalhost(?= ?port| \()|(?<=at )localhost\b|(?<=https://)localhost\b", MANAGER, text)

    def write(self, name, content, mode=0o644):
        """Put a file where the page has it; a relative name is in the reader's folder."""
        path = self.folder / self.real(name)
        assert path.resolve().is_relative_to(self.root.resolve()), "%s is not of this world" % name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.real(content), encoding="utf-8")
        path.chmod(mode)
        return path

    # --- doing something there

    def shell(self, place="controller"):
        """The shell on a machine: ``controller``, ``dom0`` or a guest's name."""
        if place not in self._shells:
            environment = self._environment(place)
            notes = self.root / "notes" / place
            self._shells[place] = self._stack.enter_context(Shell(environment, self.folder, notes))
        return self._shells[place]

    def run(self, place, text):
        """Run commands on a machine, which must succeed.

        :returns: what they print.
        """
        done = subprocess.run(
            ["bash", "-ec", text],
            env=self._environment(place),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, "%s: %s\n%s%s" % (place, text, done.stdout, done.stderr)
        return done.stdout

    def background(self, place, text):
        """Have a machine do something meanwhile, such as answer; it is ended with the world."""
        helper = subprocess.Popen(
            ["bash", "-ec", text],
            env=self._environment(place),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._helpers.append(helper)
        return helper

    def answer(self, place, question, answer):
        """Have a guest's own program wait for a parameter, and set one then.

        :param str question: its key, or ``KEY=VALUE``.
        :param str answer: a ``KEY=VALUE``.
        """
        key, wants, value = question.partition("=")
        found = '"$(ovmd -g %s 2>/dev/null)"' % shlex.quote(key)
        condition = "%s = %s" % (found, shlex.quote(value)) if wants else "-n %s" % found
        self.background(place, "until [ %s ]; do sleep 0.3; done; ovmd -p %s" % (condition, shlex.quote(answer)))

    def heard(self, name, key):
        """Return once the manager has a message of a guest with this key."""
        command = "until ovm_vmmessage -v %s --quiet -q %s >/dev/null 2>&1; do sleep 0.2; done"
        with_all = {"OVM_HOST": "localhost", **self.gateway.environment()}
        script = "export %s; timeout %d bash -c %s" % (
            " ".join("%s=%s" % (k, shlex.quote(v)) for k, v in with_all.items()),
            PATIENCE,
            shlex.quote(command % (shlex.quote(name), shlex.quote(key))),
        )
        self.run("controller", script)

    def start_daemon(self, name):
        """Run ovmd in a guest; it works when this returns."""
        self.run(name, "%s --pid-file=%s/run/%s.pid" % (self.root / "usr/sbin/ovmd", self.root, name))

    def stop_daemon(self, name):
        """End it."""
        self._end_daemon(self.root / "run" / (name + ".pid"))

    # --- making it

    def _make_folders(self):
        for name in ("home", "bin", "guests", "run", "root", "etc/ssl/certs", "etc/sysconfig", "var/log", "var/lib"):
            (self.root / name).mkdir(parents=True)
        (self.root / "root").chmod(0o700)
        (self.root / "usr/sbin").mkdir(parents=True)
        if self.story.clone:
            # Not the rest of it: a bootstrap that is run by way of links takes this for another clone.
            (self.folder / ".cache").symlink_to(os.environ["OVM_CACHE"])
        for program in self._programs.iterdir():
            shutil.copy2(program, self.root / "usr/sbin" / program.name)
        scripts = self.root / "etc/template.d/scripts"
        scripts.mkdir(parents=True)
        for script in (ROOT / "roles/ovmd/files/scripts").iterdir():
            text = script.read_text(encoding="utf-8")
            (scripts / script.name).write_text("#!%s\n%s" % (sys.executable, text.partition("\n")[2]), encoding="utf-8")
            (scripts / script.name).chmod(0o755)
        zones = self.root / "usr/share/zoneinfo/Europe"
        zones.mkdir(parents=True)
        for city in ("Berlin", "Oslo"):
            (zones / city).write_bytes(_UTC)
        # The machine that the stock scripts configure.
        (self.root / "etc/os-release").write_text("ID=debian\n", encoding="utf-8")
        unit = self.root / "usr/lib/systemd/system/systemd-networkd.service"
        wanted = self.root / "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
        for path in (unit, wanted):
            path.parent.mkdir(parents=True)
            path.write_text("", encoding="utf-8")

    def _install(self, name):
        """Make what a guest's shell and Ansible's connection to it take."""
        folder = self.root / "guests" / name
        (folder / "bin").mkdir(parents=True)
        variables = " ".join("%s=%s" % (key, shlex.quote(value)) for key, value in self._of_guest(name).items())
        self._script(folder / "python", _WITH.format(variables=variables, command=sys.executable))
        self._script(folder / "bin/ovmd", _OVMD.format(root=self.root))

    @staticmethod
    def _script(path, text):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def _of_guest(self, name):
        folder = self.root / "guests" / name
        return {
            "XENSTORED_PATH": self.guests[name].path,
            "OVM_STATE_DIR": str(folder / "state"),
            "OVM_DEVICE": str(folder / "no-ovmapi"),
            "OVM_TEMPLATE_DIR": str(self.root / "etc/template.d"),
            "OVM_TEMPLATE_ROOT": str(self.root),
            "OVM_TEMPLATE_LOCK": str(folder / "lock"),
            "OVM_TEMPLATE_LOG": str(self.root / "var/log/ovm-template-config.log"),
            "OVM_INITIAL_CONFIG": str(self.root / "etc/sysconfig/ovm-template-initial-config"),
            "PATH": "%s:%s:%s" % (folder / "bin", self.root / "usr/sbin", os.environ["PATH"]),
        }

    def _of_dom0(self):
        return {
            "XENSTORED_PATH": self.daemon.path,
            "OVM_GATEWAY_DIR": self.gateway.directory if self.gateway else str(self.root / "var/lib/ovm-gateway"),
            "PATH": "%s:%s:%s" % (self.root / "bin", self.root / "usr/sbin", os.environ["PATH"]),
        }

    def _environment(self, place):
        ours = ("OVM_", "XENSTORED_", "ANSIBLE_", "LAB_")
        kept = ("OVM_CACHE", "OVM_TARGET_PYTHONS", "ANSIBLE_HOME", "ANSIBLE_REMOTE_TEMP", "ANSIBLE_COLLECTIONS_PATH")
        base = {key: value for key, value in os.environ.items() if not key.startswith(ours) or key in kept}
        base.update(
            HOME=str(self.folder),
            COLUMNS="120",
            LC_ALL="C.UTF-8",
            ANSIBLE_CONFIG=str(self.folder / "ansible.cfg"),
            ANSIBLE_FORKS="1",  # a task's hosts answer in their order, as a page shows them
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_INVENTORY=str(self.root / "inventory.yml"),
            ANSIBLE_VARS_PLUGINS=str(HERE / "vars_plugins"),
            DOCS_WORLD=str(self.root / "world.json"),
        )
        if place in self.guests:
            return dict(base, **self._of_guest(place))
        if place == "dom0":
            return dict(base, **self._of_dom0())
        known = dict(self.gateway.environment(), OVM_HOST="localhost") if self.gateway else {}
        return dict(
            base,
            PATH="%s:%s" % (self.root / "usr/sbin", os.environ["PATH"]),
            **{name: known[name] for name in self.story.environment},
        )

    def _tell_ansible(self):
        (self.folder / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        wanted = {"guests": list(self.guests), "web": [name for name in self.guests if name.startswith("web")]}
        groups = dict(wanted, xen_hosts=["xenhost.example"], **self.story.groups)
        inventory = {name: {"hosts": dict.fromkeys(hosts, {})} for name, hosts in groups.items()}
        inventory["ungrouped"] = {"hosts": {"dom0": {}, "web-template": {}}}
        (self.root / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": inventory}}), encoding="utf-8")
        local = {"ansible_connection": "local"}
        hosts = {
            name: dict(local, ansible_python_interpreter=str(self.root / "guests" / name / "python"))
            for name in self.guests
        }
        variables = " ".join("%s=%s" % (key, shlex.quote(value)) for key, value in self._of_dom0().items())
        self._script(self.root / "bin/python", _WITH.format(variables=variables, command=sys.executable))
        hosts["dom0"] = dict(local, ansible_python_interpreter=str(self.root / "bin/python"))
        known = dict.fromkeys(_SECRETS, "not-a-secret-here")
        if self.gateway:
            known.update(dict.fromkeys(("manager_password", "vault_manager_password"), self.gateway.password))
        known.update(self.story.variables, ansible_become=False)
        (self.root / "world.json").write_text(json.dumps({"vars": known, "hosts": hosts}), encoding="utf-8")
        arguments = '"$@" --config %s/etc/ovm-gateway/ovm-gateway.conf' % self.root
        gateway = "#!/bin/sh\nexec %s %s %s\n" % (sys.executable, PROGRAM, arguments)
        self._script(self.root / "bin/ovm-gateway", gateway)

    # --- and its end

    def _end(self):
        for helper in self._helpers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(helper.pid, signal.SIGKILL)
            helper.wait()
        for path in (self.root / "run").glob("*.pid"):
            self._end_daemon(path)

    @staticmethod
    def _end_daemon(path):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(path.read_text(encoding="ascii"))
            os.kill(pid, signal.SIGTERM)
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)


def until(condition, what, patience=PATIENCE):
    """Wait for something that others do."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came to this: " + what
        time.sleep(0.05)
