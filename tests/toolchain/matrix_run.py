# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of ansible-core in the matrix: its virtual environment, a lab for its targets, and what is run there."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections import namedtuple

from lab import LabError
from lab.daemon import NAMES, Daemon
from lab.gateway import Gateway
from lab.guest import Guest
from lab.making import last_error, lock, run
from toolchain import CACHE, ROOT, matrix_pythons
from toolchain.matrix_lines import minor

#: The playbooks and the callback plugin.
HERE = ROOT / "tests" / "matrix"
#: What talks to a manager wants, on targets and on the controller.
REQUIREMENTS = ROOT / "programs" / "ovm_vmmessage" / "requirements.txt"
#: Seconds that a task may wait for something to come, on a machine under load.
PATIENCE = 300
#: Seconds after which a whole run is taken to hang.
_FOR_EVER = 7200
_CACHE = CACHE / matrix_pythons.PART
#: What the plugins' documentation is asked for by.
_KINDS = ("module", "inventory", "lookup", "role")
#: What Ansible may warn about, and why that is right.
_EXPECTED = (
    # said by ovm_vm_message itself
    "in check mode nothing is sent and nothing is waited for",
    # about a part of ansible-core's own, where ansible-doc looks for roles
    "_protomatter' does not have a MANIFEST.json",
)

Target = namedtuple("Target", ("version", "full", "path"))
Target.__doc__ = """A Python that modules run on: ``3.6``, ``3.6.15``, and its path."""


class Failed(Exception):
    """A step of a run did not end as it should; the text says which and how."""


class Core:
    """A release of ansible-core in a virtual environment of its own.

    :param Line line: the newest release of which is installed.
    :param Target controller: the Python that it runs on.
    :param pathlib.Path collections: the folder with the collection.
    :ivar str version: which release it is.
    """

    def __init__(self, line, controller, collections):
        self.line, self.controller, self._collections = line, controller, collections
        self.home = _CACHE / ("core-%s-python%s" % (line.core, controller.version))
        self._install()
        self.version = self._python("import ansible.release; print(ansible.release.__version__)")
        self._compare()

    def _install(self):
        with lock("ansible-core " + self.line.core, matrix_pythons.PART):
            base = self.home / "base"
            if not base.exists() or base.read_text() != repr(self.controller):
                self._do([self.controller.path, "-m", "venv", "--clear", str(self.home)])
            # Each time: a line's newest release is a new one every month.
            self._do([str(self.home / "bin/python"), "-m", "pip", "install", "--quiet", "--upgrade"]
                     + [self.line.requirement, "--requirement", str(REQUIREMENTS)])  # fmt: skip
            base.write_text(repr(self.controller))

    def _do(self, command):
        done = run(command)
        if done.returncode:
            raise LabError("%s cannot be installed on %s%s" % (
                self.line.requirement, self.controller.path, last_error(done)))  # fmt: skip

    def _python(self, code):
        done = run([str(self.home / "bin/python"), "-I", "-c", code])
        if done.returncode:
            raise LabError("ansible-core %s does not run%s" % (self.line.core, last_error(done)))
        return done.stdout.strip()

    def _compare(self):
        """Hold what toolchain.matrix_lines says against what this ansible-core says itself."""
        said = json.loads(self._python(
            "import json; from ansible_test._util.target.common import constants as c; "
            "print(json.dumps([c.CONTROLLER_PYTHON_VERSIONS, c.REMOTE_ONLY_PYTHON_VERSIONS]))"
        ))  # fmt: skip
        controllers, remote = said
        targets = [version for version in remote + controllers if version.startswith("3.") and minor(version) >= 6]
        if (controllers, targets) != (self.line.controllers, self.line.targets):
            raise LabError("ansible-core %s runs on %s and manages %s: have toolchain.matrix_lines say so" % (
                self.version, " ".join(controllers), " ".join(targets)))  # fmt: skip

    def environment(self, place):
        """The variables for a run, with nothing of the toolchain's own Ansible.

        :param pathlib.Path place: a folder for what Ansible writes.
        :rtype: dict
        """
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "OVM_", "PYTHON", "XENSTORED_", "COVERAGE")) and name != "VIRTUAL_ENV"
        }
        return dict(
            own,
            PATH=os.pathsep.join([str(self.home / "bin"), os.environ["PATH"]]),
            # Byte code of ten Pythons is of no use in the tree.
            PYTHONDONTWRITEBYTECODE="1",
            ANSIBLE_CONFIG=str(CACHE / "ansible" / "ansible.cfg"),
            ANSIBLE_COLLECTIONS_PATH=str(self._collections),
            ANSIBLE_HOME=str(place / "ansible"),
            ANSIBLE_REMOTE_TEMP=str(place / "remote"),
            ANSIBLE_NOCOLOR="1",
            # as it is recommended to users; it halves the time
            ANSIBLE_PIPELINING="1",
            ANSIBLE_FORKS=str(os.cpu_count()),
            ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1",
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
            ANSIBLE_CALLBACKS_ENABLED="outcome",
            OVM_MATRIX_OUTCOME=str(place / "outcome.json"),
            OVM_CACHE=str(_CACHE / ("sanity-" + self.line.core)),
        )

    def call(self, place, log, *command):
        """Run a command of this ansible-core.

        :param pathlib.Path log: its output is appended here.
        :rtype: subprocess.CompletedProcess
        """
        with open(log, "a", encoding="utf-8") as stream:
            stream.write("$ %s\n" % " ".join(command))
        done = subprocess.run(
            command, env=self.environment(place), cwd=place, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=_FOR_EVER, check=False,
        )  # fmt: skip
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(done.stdout + done.stderr)
        return done


# --- the lab of a run -------------------------------------------------------------------


class Site:
    """Guests for one run: one for each Python on each kind of daemon, and one more of its own Xen host.

    A context manager, which makes and ends it all.

    :param list targets: of Target.
    :param kinds: of daemons.
    :ivar dict hosts: name to variables, as an inventory has them.
    :ivar str secret: a value that must be seen nowhere.
    """

    def __init__(self, targets, kinds, place):
        self._targets, self._kinds, self._place = targets, kinds, place
        self._stack = contextlib.ExitStack()
        self.hosts, self.gateways = {}, {}
        self.secret = "sec-" + secrets.token_hex(12)

    def __enter__(self):
        with self._stack:
            for kind in self._kinds:
                self._populate(kind)
            self._kept = self._stack.pop_all()
        return self

    def __exit__(self, *_exc):
        for variables in self.hosts.values():
            _end(os.path.join(variables["place"], "ovmd.pid"))
        self._kept.close()

    def _python(self, target):
        """A short path of a target's Python: the first line of a program has to hold it."""
        link = self._place / ("python" + target.version)
        if not link.is_symlink():
            link.symlink_to(target.path)
        return str(link)

    def _populate(self, kind):
        # One host of Xen with a gateway for all guests, and one for each of them that has none.
        daemon = self._stack.enter_context(Daemon(kind))
        gateway = self._stack.enter_context(Gateway(daemon))
        self.gateways[kind] = gateway
        facts = {name: getattr(gateway, name) for name in ("host", "port", "username", "password", "ca")}
        for number, target in enumerate(self._targets, 5):
            name = "python%s-%s" % (target.version, NAMES[kind])
            place = self._place / name
            (place / "bin").mkdir(parents=True)
            guest = Guest(daemon, number, name=name)
            host = self._stack.enter_context(Daemon(kind))
            direct = Guest(host, 5, name=name)
            self.hosts[name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": self._python(target),
                "python": target.full,
                "libraries": str(libraries(target)),
                "place": str(place),
                "guest": guest.path,
                "gateway": facts,
                "xen": {"host": host.path, "guest": direct.path},
            }

    def write(self):
        """Write the inventories: the hosts, and what the inventory plugin reads.

        :returns: the arguments that name them.
        """
        place = self._place
        shared = {"secret": self.secret, "patience": PATIENCE, "ansible_remote_tmp": str(place / "remote")}
        hosts = {"guests": {"hosts": self.hosts, "vars": shared}}
        (place / "hosts.json").write_text(json.dumps(hosts))
        names = ["hosts.json"]
        for kind, gateway in self.gateways.items():
            options = {
                "plugin": "ovm.messaging.ovm",
                "host": gateway.host,
                "port": gateway.port,
                "username": gateway.username,
                "password": gateway.password,
                "ca_path": gateway.ca,
                "strict": True,
                "keyed_groups": [{"key": "ovm_received['app.state'] | default('unknown')", "prefix": "state"}],
                "compose": {"port_of_app": "ovm_received['app.port'] | default(0) | int"},
            }
            names.append(kind + ".ovm.yml")
            (place / names[-1]).write_text(json.dumps(options))
        return [word for name in names for word in ("-i", str(place / name))]


def libraries(target):
    """The folder with what a target's modules import that Python has not."""
    folder = _CACHE / ("libraries-python%s-%s" % (target.version, time.strftime("%Y-%m")))
    matrix_pythons.libraries(target.version, str(REQUIREMENTS), str(folder))
    return folder


def _end(pid_file):
    """End a daemon that a run has left behind."""
    with contextlib.suppress(OSError, ValueError):
        with open(pid_file, encoding="ascii") as stream:
            pid = int(stream.read())
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            if os.path.dirname(pid_file).encode() in stream.read():
                os.kill(pid, signal.SIGKILL)


# --- the runs ---------------------------------------------------------------------------


def modules(core, targets, kinds, log):
    """Run every module and plugin on all targets.

    :param pathlib.Path log: for the output.
    :returns: name of a host to a list of what went wrong there.
    :raises Failed: something that is no single host's matter.
    """
    with tempfile.TemporaryDirectory(prefix="ovm-matrix-") as folder:
        place = pathlib.Path(folder)
        with Site(targets, kinds, place) as site:
            arguments = [*site.write(), "-vvv", "--diff", str(HERE / "modules.yml")]
            done = core.call(place, log, "ansible-playbook", *arguments)
        if not (place / "outcome.json").exists():
            raise Failed("ansible-playbook did not get to its end: see %s" % log)
        outcome = json.loads((place / "outcome.json").read_text())
    output = done.stdout + done.stderr
    if any(secret in output for secret in (site.secret, *(each.password for each in site.gateways.values()))):
        raise Failed("the output shows a secret: see %s" % log)
    faults = {name: faults_of(outcome.get(name), outcome) for name in site.hosts}
    odd = unexpected(output)
    if odd:
        raise Failed("Ansible warns: %s: see %s" % ("; ".join(odd), log))
    if done.returncode and not any(faults.values()):
        raise Failed("ansible-playbook ended with the exit code %d: see %s" % (done.returncode, log))
    return faults


def faults_of(numbers, outcome):
    """What went wrong on a host, which has to have done as much as each of the others.

    :param dict numbers: what the callback plugin tells of it, or None.
    :param dict outcome: the same of all hosts, by name.
    :rtype: list of str
    """
    if not numbers:
        return ["no task was run"]
    most = max(other["ok"] for name, other in outcome.items() if name != "localhost")
    faults = list(numbers["faults"])
    if numbers["unreachable"] or numbers["skipped"] or (numbers["failures"] and not faults):
        faults.append("unreachable %(unreachable)d, skipped %(skipped)d, failed %(failures)d" % numbers)
    if not faults and numbers["ok"] < most:
        faults.append("%d tasks were done, %d elsewhere" % (numbers["ok"], most))
    return faults


def unexpected(output):
    """What Ansible warned about, but for what is meant to be so.

    :rtype: list of str
    """
    found = re.findall(r"^\[(?:DEPRECATION )?WARNING\]:? ?(.*(?:\n(?!\n|\[|[A-Z]+ \[|<|[a-z]+: ).*)*)", output, re.M)
    texts = {" ".join(text.split()) for text in found}
    return sorted(text for text in texts if not any(expected in text for expected in _EXPECTED))


def roles(core, log):
    """Have this ansible-core read every role, playbook and documentation, and validate the roles' arguments.

    :raises Failed: it cannot.
    """
    with tempfile.TemporaryDirectory(prefix="ovm-matrix-") as folder:
        place = pathlib.Path(folder)

        def call(*command, wanted=None):
            done = core.call(place, log, *command)
            odd = unexpected(done.stdout + done.stderr)
            if bool(done.returncode) != bool(wanted) or (wanted and wanted not in done.stdout + done.stderr) or odd:
                raise Failed("%s: %s: see %s" % (" ".join(command), "; ".join(odd) or "went wrong", log))
            return done.stdout

        everything = str(HERE / "roles.yml")
        for book in ("ovm.messaging.provision_guest", "ovm.messaging.seal_template", everything):
            call("ansible-playbook", "-i", "localhost,", "--syntax-check", book)
        play = ["ansible-playbook", "-i", "localhost,", "-c", "local", "--tags", "none_has_this", everything]
        call(*play)
        call(*play, "-e", "ovmd_state=nonsense", wanted="value of ovmd_state must be one of")
        for kind in _KINDS:
            listed = json.loads(call("ansible-doc", "--list", "--json", "--type", kind, "ovm.messaging"))
            if not listed:
                raise Failed("ansible-doc finds no %s: see %s" % (kind, log))
            told = call("ansible-doc", "--json", "--type", kind, *listed)
            if set(json.loads(told)) != set(listed):
                raise Failed("ansible-doc does not tell of every %s: see %s" % (kind, log))


def sanity(core, log):
    """Run ansible-test sanity of this ansible-core.

    :raises Failed: it has found something.
    """
    with tempfile.TemporaryDirectory(prefix="ovm-matrix-") as folder:
        place = pathlib.Path(folder)
        command = ["env", "PYTHONPATH=" + str(ROOT / "tests"), str(core.home / "bin/python")]
        command += ["-m", "toolchain.ansible_test", "sanity", "--color", "no"]
        done = core.call(place, log, *command)
        if done.returncode:
            faults = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "FATAL"))]
            raise Failed("ansible-test sanity: %s: see %s" % (
                "; ".join(faults[:5]) or "exit code %d" % done.returncode, log))  # fmt: skip
