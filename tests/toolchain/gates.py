# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the collection through the gates of Ansible's ecosystem, and say how long each took.

The artefact is built and installed into an empty place first. Gates that are about it see that place alone: neither
this repository nor its toolchain's collections.
"""

import argparse
import concurrent.futures
import fnmatch
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import yaml

from lab import LabError, parts
from lab.daemon import Daemon
from lab.gateway import Gateway
from lab.guest import Guest
from toolchain import CACHE, ROOT

#: What is at the top of an artefact. What else lies in the repository is for those who work on it.
TOP = {
    *("CHANGELOG.md", "CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "LICENSES"),
    *("MANIFEST.json", "README.md", "REUSE.toml", "SECURITY.md"),
    *("changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "programs", "roles"),
}
#: Those of them that a release brings.
RELEASED = {"CHANGELOG.md", "CHANGELOG.rst"}
#: Seconds after which a command is taken to hang.
PATIENCE = 1200


class GateError(Exception):
    """A gate does not let the collection pass."""


def run(command, log, environment=None, folder=ROOT, accept=(0,)):
    """Run a command.

    :param command: a list.
    :param log: a list, to which what it printed is added.
    :param environment: what it sees; this process's if None.
    :returns: what it printed to standard output.
    :raises GateError: if its exit code is none of ``accept``.
    """
    log.append("$ " + shlex.join(map(str, command)))
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
            text=True, errors="replace", check=False, timeout=PATIENCE,
        )  # fmt: skip
        said.seek(0)
        log.extend(text for text in (done.stdout, said.read()) if text)
    if done.returncode not in accept:
        raise GateError(f"{command[0]} ended with {done.returncode}")
    return done.stdout


class Place:
    """The artefact, and the empty place that it is installed into.

    :param pathlib.Path folder: for both.
    :ivar pathlib.Path artefact: the archive.
    :ivar pathlib.Path collections: where the collection is installed.
    :ivar pathlib.Path work: an empty folder to work in.
    """

    def __init__(self, folder):
        self.folder = folder
        self.collections = folder / "collections"
        self.collection = self.collections / "ansible_collections" / "ovm" / "messaging"
        self.work = folder / "work"
        self.work.mkdir()
        galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
        self.version = galaxy["version"]
        self.ignored = galaxy["build_ignore"]
        self.artefact = folder / f"ovm-messaging-{self.version}.tar.gz"

    def environment(self, **more):
        """What somebody has who has installed the artefact, and has no clone of the repository.

        :rtype: dict
        """
        # PATH, the cache and pip's settings stay; what leads to this repository goes.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ANSIBLE_") and name not in ("PYTHONPATH", "VIRTUAL_ENV")
        }
        return dict(
            kept,
            ANSIBLE_COLLECTIONS_PATH=str(self.collections),
            ANSIBLE_HOME=str(self.folder / "ansible"),
            ANSIBLE_REMOTE_TEMP=str(self.folder / "ansible" / "remote"),
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            ANSIBLE_NOCOLOR="true",
            **more,
        )

    def build(self, log):
        """Build the artefact, install it, and see that it has all files that it should have and no others."""
        command = ["ansible-galaxy", "collection"]
        run([*command, "build", "--output-path", self.folder], log)
        run(
            [*command, "install", "--offline", "--collections-path", self.collections, self.artefact],
            log, self.environment(), self.work,
        )  # fmt: skip
        run([*command, "verify", "--offline", "ovm.messaging"], log, self.environment(), self.work)
        faults = list(self._faults())
        if faults:
            raise GateError("\n".join(faults))

    def _faults(self):
        with tarfile.open(self.artefact) as archive:
            packed = {member.name for member in archive if not member.isdir()}
        tops = {name.partition("/")[0] for name in packed}
        for name in sorted(tops - TOP):
            yield f"{name} is in the artefact: if that is right, add it to TOP, else to build_ignore in galaxy.yml"
        for name in sorted(TOP - RELEASED - tops):
            yield f"{name} is not in the artefact"
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        known = {name for name in listing.split("\0") if name and (ROOT / name).exists()}
        for name in sorted(packed - known - {"FILES.json", "MANIFEST.json"}):
            yield f"{name} is in the artefact, but git ignores it"
        for name in sorted(known - packed - {"galaxy.yml"}):
            folders = [name, *map(str, pathlib.PurePath(name).parents)]
            if not any(fnmatch.fnmatch(folder, pattern) for folder in folders for pattern in self.ignored):
                yield f"{name} is not in the artefact"


def own_tools(log):
    """The folder with the programs of tests/requirements-gates.txt, which is made once.

    :rtype: pathlib.Path
    """
    wanted = ROOT / "tests" / "requirements-gates.txt"
    state = hashlib.sha256(wanted.read_bytes() + sys.version.encode() + str(CACHE).encode()).hexdigest()
    venv = CACHE / "gates" / "venv"
    ready = venv / "ready"
    if not ready.exists() or ready.read_text() != state:
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", "--without-pip", venv], log)
        run(
            [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet", "--no-input"]
            + ["--requirement", wanted],
            log,
        )
        ready.write_text(state)
    return venv / "bin"


# --- the gates --------------------------------------------------------------------------


def documentation(place, log):
    """ansible-doc shows every plugin and role, all of the same version or older."""
    text = run(["ansible-doc", "--metadata-dump", "ovm.messaging"], log, place.environment(), place.work)
    log.pop()
    shown = json.loads(text)["all"]
    folders = {"module": "modules", "lookup": "lookup", "inventory": "inventory"}
    wanted = {
        kind: {path.stem for path in (place.collection / "plugins" / folder).glob("*.py")}
        for kind, folder in folders.items()
    }
    wanted["role"] = {path.parent.parent.name for path in place.collection.glob("roles/*/meta/argument_specs.yml")}
    faults = []
    for kind, names in wanted.items():
        found = {name.rpartition(".")[2]: data for name, data in shown[kind].items()}
        faults += [f"ansible-doc does not show the {kind} {name}" for name in sorted(names - set(found))]
        for name, data in found.items():
            for part in data["entry_points"].values() if kind == "role" else [data.get("doc") or {}]:
                if not part.get("short_description") or not part.get("version_added"):
                    faults.append(f"the {kind} {name} lacks a short_description or a version_added")
    if faults:
        raise GateError("\n".join(faults))


def use(place, log):
    """Playbooks use modules, plugins, roles and playbooks of the artefact, over a real XenStore and a real gateway."""
    programs = place.folder / "bin"
    install = {
        "name": ["ovmd", "ovm-template-config", "ovm-chkconfig", "ovm_vmmessage", "ovm-gateway"],
        "dest": f"{programs}/",
        "python": "/usr/bin/python3",
    }
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {"ansible.builtin.file": {"path": str(programs), "state": "directory", "mode": "0755"}},
                {"ovm.messaging.ovm_program": install},
            ],
        }
    ]
    roles = sorted(path.name for path in (place.collection / "roles").iterdir() if path.is_dir())
    plays.append({"hosts": "nobody", "roles": ["ovm.messaging." + name for name in roles]})
    book = place.work / "install.yml"
    book.write_text(yaml.safe_dump(plays, sort_keys=False))
    run(["ansible-playbook", book], log, place.environment(), place.work)
    for name in install["name"][:3]:
        version = run([programs / name, "--version"], log, place.environment(), place.work)
        if place.version not in version:
            raise GateError(f"{name} --version says {version!r}, not {place.version}")
    tasks = run(["ansible-playbook", "--list-tasks", book], log, place.environment(), place.work)
    for name in roles:
        if not re.search(rf"\b{name} : ", tasks):
            raise GateError(f"no task of the role {name} was found")
    for path in sorted((place.collection / "playbooks").glob("*.yml")):
        command = ["ansible-playbook", "--list-tasks", f"ovm.messaging.{path.stem}"]
        run(command, log, place.environment(), place.work)
    for name in ("demo.yml", "inventory.yml"):
        shutil.copy(ROOT / "tests" / "demo" / name, place.work)
    with Daemon("c") as daemon, Gateway(daemon) as gateway:
        guest = Guest(daemon, 5, name="MyVM02")
        environment = place.environment(
            **gateway.environment(), DEMO_GUEST=guest.path, DEMO_STATE=str(place.folder / "guest")
        )
        run(["ansible-playbook", "-i", "inventory.yml", "demo.yml"], log, environment, place.work)
        (place.work / "ovm.yml").write_text("plugin: ovm.messaging.ovm\n")
        for host, options, expression in (
            ("MyVM02", ["-i", "ovm.yml"], "ovm_received['app.state']"),
            ("localhost", [], "lookup('ovm.messaging.vm_message', 'app.state', vm='MyVM02')"),
        ):
            message = ["-m", "ansible.builtin.debug", "-a", "msg={{ %s }}" % expression]
            if '"msg": "ready"' not in run(["ansible", host, *options, *message], log, environment, place.work):
                raise GateError(f"{expression} is not what the guest has sent")


def importer(place, log):
    """galaxy-importer, as Galaxy runs it on what is uploaded, has nothing to say against it."""
    tools = own_tools(log)
    settings = place.folder / "galaxy-importer.cfg"
    # No ansible-test: Galaxy runs it in a container, `make sanity` without one.
    settings.write_text("[galaxy-importer]\nCHECK_REQUIRED_TAGS = True\nREQUIRE_V1_OR_GREATER = True\n")
    home = place.folder / "home"
    home.mkdir()
    environment = place.environment(GALAXY_IMPORTER_CONFIG=str(settings), HOME=str(home))
    environment["PATH"] = os.pathsep.join([str(tools), environment["PATH"]])
    # The importer says where the collection is.
    del environment["ANSIBLE_COLLECTIONS_PATH"]
    folder = place.folder / "importer"
    folder.mkdir()
    text = run([tools / "python", "-m", "galaxy_importer.main", place.artefact], log, environment, folder)
    if re.search("^(WARNING|ERROR|CRITICAL)", text, re.MULTILINE) or "completed successfully" not in text:
        raise GateError("galaxy-importer complains")


def execution_environment(place, log):
    """ansible-builder finds what the collection requires, pip resolves it, and a context to build from is made."""
    tools = own_tools(log)
    text = run([tools / "ansible-builder", "introspect", "--sanitize", place.collections], log, place.environment())
    found = yaml.safe_load(text)
    if not all(found.get(kind) for kind in ("python", "system")):
        raise GateError("ansible-builder finds no requirements: see meta/execution-environment.yml")
    wanted = place.folder / "python.txt"
    wanted.write_text("\n".join(found["python"]) + "\n")
    run([sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "-r", wanted], log)
    packages = place.folder / "bindep.txt"
    packages.write_text("\n".join(found["system"]) + "\n")
    run([tools / "bindep", "--file", packages, "--list_all", "newline"], log)
    folder = place.folder / "environment"
    folder.mkdir()
    definition = {
        "version": 3,
        "images": {"base_image": {"name": "registry.example.com/base:latest"}},
        "dependencies": {"galaxy": {"collections": [{"name": str(place.artefact), "type": "file"}]}},
    }
    (folder / "execution-environment.yml").write_text(yaml.safe_dump(definition))
    environment = place.environment()
    environment["PATH"] = os.pathsep.join([str(tools), environment["PATH"]])
    run(["ansible-builder", "create"], log, environment, folder)
    if str(place.artefact) not in (folder / "context" / "_build" / "requirements.yml").read_text():
        raise GateError("ansible-builder does not take the artefact")


def changelog(place, log):
    """A release can be made of the fragments, or was, and names each plugin, role and playbook of the collection."""
    tree = place.folder / "release" / "ansible_collections" / "ovm" / "messaging"
    shutil.copytree(place.collection, tree)
    shutil.copy(ROOT / "galaxy.yml", tree)
    (tree / "MANIFEST.json").unlink()
    (tree / "FILES.json").unlink()
    releases = yaml.safe_load((tree / "changelogs" / "changelog.yaml").read_text())["releases"]
    if place.version not in releases:
        run(["antsibull-changelog", "release"], log, place.environment(), tree)
        releases = yaml.safe_load((tree / "changelogs" / "changelog.yaml").read_text())["releases"]
    run(["antsibull-changelog", "lint-changelog-yaml", "--strict", "changelogs/changelog.yaml"], log, folder=tree)
    released = {
        entry["name"]
        for release in releases.values()
        for kinds in (release, release.get("plugins", {}), release.get("objects", {}))
        for entries in kinds.values()
        if isinstance(entries, list)
        for entry in entries
        if isinstance(entry, dict)
    }
    wanted = {
        path.stem
        for pattern in ("plugins/modules/*.py", "plugins/lookup/*.py", "plugins/inventory/*.py", "playbooks/*.yml")
        for path in tree.glob(pattern)
    }
    wanted |= {path.name for path in (tree / "roles").iterdir() if path.is_dir()}
    if wanted - released:
        raise GateError("the changelog does not name " + ", ".join(sorted(wanted - released)))
    if not releases[place.version]["changes"].get("release_summary"):
        raise GateError(f"the changelog has no summary of {place.version}")


def ansible_test(command, _place, log):
    """ansible-test runs the tests, in a virtual environment that it makes."""
    version = "%d.%d" % sys.version_info[:2]
    options = ["--color", "no", "--venv", "--python", version]
    if command == "units":
        options += ["--num-workers", str(os.cpu_count() or 1)]
    run([sys.executable, "-m", "toolchain.ansible_test", command, *options], log)


#: In the order of their start: long ones first.
GATES = {
    "units": functools.partial(ansible_test, "units"),
    "integration": functools.partial(ansible_test, "integration"),
    "importer": importer,
    "use": use,
    "documentation": documentation,
    "environment": execution_environment,
    "changelog": changelog,
}


def passes(name, gate, *arguments):
    """Take the collection through one gate, and tell.

    :rtype: bool
    """
    log = []
    start = time.monotonic()
    try:
        gate(*arguments, log)
        fault = ""
    except (GateError, LabError, subprocess.TimeoutExpired, OSError) as problem:
        fault = str(problem)
    with _printing:
        print(f"{'FAILED' if fault else 'ok':6} {name} ({time.monotonic() - start:.1f} s)", flush=True)
        if fault:
            print("\n".join([*log, f"{name}: {fault}"]), flush=True)
    return not fault


_printing = threading.Lock()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gate", nargs="*", help="one of " + ", ".join(GATES) + "; all if none is given")
    names = parser.parse_args().gate
    unknown = set(names) - set(GATES)
    if unknown:
        parser.error("no such gate: " + ", ".join(sorted(unknown)))
    (CACHE / "gates").mkdir(exist_ok=True)
    # Two gates use the lab, two these tools: they are made once, and before.
    parts.get()
    with tempfile.TemporaryDirectory(prefix="place-", dir=CACHE / "gates") as folder:
        place = Place(pathlib.Path(folder))
        if not (passes("tools", own_tools) and passes("artefact", place.build)):
            return 1
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            gates = {name: pool.submit(passes, name, GATES[name], place) for name in GATES if name in (names or GATES)}
        failed = [name for name, future in gates.items() if not future.result()]
    if failed:
        print("gates failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
