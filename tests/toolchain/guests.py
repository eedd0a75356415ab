# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that molecule's scenarios work on: containers that stand for Xen hosts.

Each is a bare Debian with systemd, and the XenStore of a lab of its own, at the place where a
Xen host has it. There is a guest in that lab. Ansible's ssh needs no network to reach them: it
goes through podman, as extensions/molecule/inventory says.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from lab import __main__ as lab
from toolchain import CACHE, ROOT, containers

#: Everything of all systems, by name.
FOLDER = CACHE / "molecule"
#: What a system has on top of a bare Debian, and which. bullseye has the oldest systemd and Python that are tried.
PACKAGES = ("systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "python3-venv", "ca-certificates")
SUITE = os.environ.get("OVM_MOLECULE_SUITE") or "bookworm"
#: The lab's guest.
DOMID, GUEST = 5, "MyVM02"
#: Seconds that a system may take to boot.
PATIENCE = 60
_BOOTED = ("running", "degraded")


def up(name, network):
    """Start a system, anew if it is there.

    :param str name: what the inventory calls it.
    :param bool network: whether it is in this machine's network; otherwise it is in none.
    """
    down(name)
    folder = FOLDER / name
    handover = folder / "handover"
    handover.mkdir(parents=True)
    here = lab.Lab(folder / "lab")
    with here.changing():
        here.start("c")
        lab.Guest(here.daemon, DOMID, GUEST, detached=True)
    options = [
        "--detach",
        f"--name={_container(name)}",
        f"--hostname={name}",
        "--systemd=always",
        # Lets systemd shut services in, as on a real host.
        "--cap-add=SYS_ADMIN",
        f"--volume={here.daemon.directory}:/run/xenstored",
    ]
    options += containers.network_options(handover) if network else ["--network=none"]
    _podman("run", *options, _image(), "/sbin/init", stdout=subprocess.DEVNULL)
    _wait_until_booted(name)
    if network:
        _inside(name, f"{containers.TRUST} && update-ca-certificates")
    _inside(name, "install -d -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys", input=_public_key())


def down(name):
    """End a system and its lab."""
    folder = FOLDER / name
    containers.remove(_container(name))
    if folder.exists():
        with lab.Lab(folder / "lab").changing() as here:
            here.stop()
        shutil.rmtree(folder)


def connect(name):
    """Be one ssh connection to a system: serve it on standard input and output."""
    # Made by what is run at boot, where that is.
    command = "mkdir -p /run/sshd && exec /usr/sbin/sshd -i"
    command = containers.podman("exec", "--interactive", _container(name), "sh", "-c", command)
    os.execvp(command[0], command)


def wheels(folder, requirements):
    """Fill a wheelhouse for the systems, on one like them.

    :param list requirements: files for pip.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as handover:
        options = [*containers.network_options(pathlib.Path(handover)), f"--volume={ROOT}:{ROOT}:ro"]
        options += [f"--volume={folder.resolve()}:/wheels", "--rm"]
        script = f"{containers.TRUST} && update-ca-certificates >/dev/null && python3 -m venv /venv\n"
        script += 'exec /venv/bin/pip download --quiet --disable-pip-version-check --dest /wheels "$@"'
        words = [word for path in requirements for word in ("--requirement", str(pathlib.Path(path).resolve()))]
        _podman("run", *options, _image(), "sh", "-ec", script, "sh", *words)


def _container(name):
    return f"ovm-messaging-{name}"


def _image():
    return containers.make_image("localhost/ovm-messaging-guest", SUITE, PACKAGES)


def _podman(*arguments, **options):
    return subprocess.run(containers.podman(*arguments), check=True, **options)


def _inside(name, script, **options):
    """Run a script of the shell in a system."""
    command = ["exec", "--interactive", _container(name), "sh", "-ec", script]
    return _podman(*command, stdout=subprocess.DEVNULL, **options)


def _wait_until_booted(name):
    deadline = time.monotonic() + PATIENCE
    while True:
        # Waits by itself, once there is somebody to ask.
        command = containers.podman("exec", _container(name), "systemctl", "is-system-running", "--wait")
        state = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
        if state in _BOOTED:
            return
        if time.monotonic() > deadline:
            raise containers.ContainerError(f"{name} has not booted in {PATIENCE} s: it is {state or 'not there'}")
        time.sleep(0.1)


def _public_key():
    """The key that Ansible logs in with, made where it is not there yet."""
    key = FOLDER / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "molecule", "-f", key], check=True)
    return key.with_name("key.pub").read_bytes()


def main():
    parser = argparse.ArgumentParser(prog="toolchain.guests", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    added = commands.add_parser("up", help="start a system")
    added.add_argument("name")
    added.add_argument("--no-network", dest="network", action="store_false", help="let it be in no network")
    for command in "down", "connect":
        commands.add_parser(command).add_argument("name")
    added = commands.add_parser("wheels", help="fill a wheelhouse")
    added.add_argument("folder")
    added.add_argument("requirements", nargs="+")
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    try:
        containers.prepare({"ssh": "openssh-client"})
        {"up": up, "down": down, "connect": connect, "wheels": wheels}[command](**arguments)
    except (containers.ContainerError, lab.LabError) as problem:
        sys.exit(f"toolchain.guests: {problem}")
    except subprocess.CalledProcessError as problem:
        sys.exit(f"toolchain.guests: {problem.cmd[0]} failed, see above")


if __name__ == "__main__":
    main()
