# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that molecule's scenarios work on: containers with systemd, and the lab's XenStore.

Some stand for Xen hosts: each has the XenStore of a lab of its own, at the place where a Xen
host has it, and that lab has a guest. Some stand for guests: those of one scenario belong to
one lab, which has a gateway; each finds its XenStore where a program of a guest looks for it.

Ansible's ssh needs no network to reach them: it goes through podman, as
extensions/molecule/inventory says. Nor does it need anything of the system's own ssh, which
scenarios may seal or configure.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

from lab import __main__ as lab
from toolchain import CACHE, ROOT, containers

#: Everything of all systems, by name.
FOLDER = CACHE / "molecule"
#: How Ansible gets in; seen by all systems as ACCESS.
_KEYS = FOLDER / "access"
ACCESS = "/molecule"
_BASE = ("systemd-sysv", "dbus", "openssh-server", "python3")

#: What a Xen host has on top of a bare Debian, and which. bullseye has the oldest systemd and Python that are tried.
HOST_PACKAGES = (*_BASE, "python3-apt", "python3-venv", "ca-certificates")
HOST_SUITE = os.environ.get("OVM_MOLECULE_SUITE") or "bookworm"
#: The guest in the lab of a Xen host.
DOMID, GUEST = 5, "MyVM02"

System = namedtuple("System", ("suite", "packages", "script"))


#: What is this machine's in an image, and nobody's in a template.
_NOBODY = "echo template >/etc/hostname; echo '127.0.0.1 localhost template' >/etc/hosts; rm -f /etc/resolv.conf\n"


def _guest(suite, *packages, script=""):
    return System(suite, (*_BASE, "iproute2", "passwd", "procps", "tzdata", *packages), _NOBODY + script)


#: What a guest can be. Each release comes with another way to configure its network.
SYSTEMS = {
    "debian11": _guest("bullseye", "ifupdown"),
    "debian12": _guest("bookworm", "ifupdown"),
    "debian13": _guest("trixie", "netplan.io"),
    # No system of the RHEL family can be had everywhere: this is a Debian that looks like one.
    "el_stand_in": _guest(
        "bookworm", "createrepo-c", "dnf", "file", "network-manager", "python3-dnf", "rpm",
        script=pathlib.Path(__file__).with_name("el_stand_in.sh").read_text(encoding="utf-8"),
    ),
}  # fmt: skip

#: Seconds that a system may take to boot.
PATIENCE = 90
_BOOTED = ("running", "degraded")


# --- Xen hosts --------------------------------------------------------------------------


def up(name, network):
    """Start a Xen host, anew if it is there.

    :param str name: what the inventory calls it.
    :param bool network: whether it is in this machine's network; otherwise it is in none.
    """
    down(name)
    handover = FOLDER / name / "handover"
    handover.mkdir(parents=True)
    here = lab.Lab(FOLDER / name / "lab")
    with here.changing():
        here.start("c")
        lab.Guest(here.daemon, DOMID, GUEST, detached=True)
    options = containers.network_options(handover) if network else ["--network=none"]
    options.append(f"--volume={here.daemon.directory}:/run/xenstored")
    image = containers.make_image("localhost/ovm-messaging-guest", HOST_SUITE, HOST_PACKAGES)
    _podman("run", "--detach", *_options(name), *options, image, "/sbin/init", stdout=subprocess.DEVNULL)
    _wait_until_booted(name)
    if network:
        _inside(name, f"{containers.TRUST} && update-ca-certificates")


# --- guests -----------------------------------------------------------------------------


def guests(scenario, systems):
    """Start a lab with a gateway, and guests in it, anew if they are there.

    What is needed to reach the gateway gets into ``manager.json``, as options of the modules.

    :param str scenario: what the lab is called.
    :param systems: ``NAME=SYSTEM`` each: what the inventory and the gateway call the guest, and
        one of SYSTEMS.
    """
    systems = dict(system.split("=", 1) for system in systems)
    down(scenario)
    for name in systems:
        containers.remove(_container(name))
    here = lab.Lab(FOLDER / scenario / "lab")
    with here.changing():
        here.start("c")
        gateway = lab.Gateway(here.daemon, detached=True).start()
        made = [lab.Guest(here.daemon, DOMID + n, name, detached=True) for n, name in enumerate(systems)]
    manager = {key: getattr(gateway, key) for key in ("host", "port", "username", "password")}
    (FOLDER / scenario / "manager.json").write_text(json.dumps(dict(manager, ca_path=gateway.ca)))
    for guest in made:
        # Where programs of a guest look for XenStore, in the folder that it sees as /run/xenstored.
        os.symlink("xenbus", os.path.join(guest.directory, "socket"))
        system = SYSTEMS[systems[guest.name]]
        options = [
            *_options(guest.name),
            "--network=none",
            "--cap-add=NET_ADMIN",
            f"--volume={guest.directory}:/run/xenstored",
        ]
        image = containers.make_image("localhost/ovm-messaging-guest", *system)
        _podman("create", *options, image, "/sbin/init", stdout=subprocess.DEVNULL)
        _start(guest.name)
    for name in systems:
        _wait_until_booted(name)


def stop(name, itself):
    """Shut a guest down.

    :param bool itself: only wait until it has done that itself.
    """
    if itself:
        _podman("wait", _container(name), stdout=subprocess.DEVNULL, timeout=PATIENCE)
    else:
        _podman("stop", "--time=30", _container(name), stdout=subprocess.DEVNULL)


def start(scenario, name, wait):
    """Have a guest boot again, in a new domain: nothing is left of what was in XenStore.

    :param bool wait: whether to wait until it has booted.
    """
    with lab.Lab(FOLDER / scenario / "lab").changing() as here:
        (guest,) = [guest for guest in here.require().guests() if guest.name == name]
        guest.reboot(guest.domid + 100)
    _start(name)
    if wait:
        _wait_until_booted(name)


def _start(name):
    """Start the container of a guest, with a network device, and without podman's hand in its files."""
    container = _container(name)
    _podman("init", container, stdout=subprocess.DEVNULL)
    command = containers.podman("inspect", "--format={{.State.Pid}}", container)
    pid = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    within = ["nsenter", f"--target={pid}"]
    # Both ends of a wire: the second is what the first is plugged into.
    number = sum(name.encode()) % 256
    for command in (
        ["link", "add", "eth0", "address", f"02:00:00:00:05:{number:02x}", "type", "veth", "peer", "name", "wire0"],
        ["link", "set", "wire0", "up"],
    ):
        subprocess.run([*within, "--net", "ip", *command], check=True)
    # What podman puts there is mounted, and nobody in the guest could replace it.
    subprocess.run([*within, "--mount", "--pid", "umount", "/etc/hostname", "/etc/hosts"], check=True)
    _podman("start", container, stdout=subprocess.DEVNULL)


# --- both -------------------------------------------------------------------------------


def down(name):
    """End a Xen host and its lab, or a scenario's guests and theirs."""
    folder = FOLDER / name
    containers.remove(_container(name))
    if folder.exists():
        with lab.Lab(folder / "lab").changing() as here:
            for guest in here.guests() if here.daemon else ():
                containers.remove(_container(guest.name))
            here.stop()
        shutil.rmtree(folder)


def connect(name):
    """Be one ssh connection to a system: serve it on standard input and output."""
    # Made by what is run at boot, where that is.
    command = f"mkdir -p /run/sshd && exec /usr/sbin/sshd -i -f {ACCESS}/sshd_config"
    command = containers.podman("exec", "--interactive", _container(name), "sh", "-c", command)
    os.execvp(command[0], command)


def wheels(folder, requirements):
    """Fill a wheelhouse for Xen hosts, on a system like them.

    :param list requirements: files for pip.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    image = containers.make_image("localhost/ovm-messaging-guest", HOST_SUITE, HOST_PACKAGES)
    with tempfile.TemporaryDirectory() as handover:
        options = [*containers.network_options(pathlib.Path(handover)), f"--volume={ROOT}:{ROOT}:ro"]
        options += [f"--volume={folder.resolve()}:/wheels", "--rm"]
        script = f"{containers.TRUST} && update-ca-certificates >/dev/null && python3 -m venv /venv\n"
        script += 'exec /venv/bin/pip download --quiet --disable-pip-version-check --dest /wheels "$@"'
        words = [word for path in requirements for word in ("--requirement", str(pathlib.Path(path).resolve()))]
        _podman("run", *options, image, "sh", "-ec", script, "sh", *words)


def _options(name):
    _have_access()
    return [
        f"--name={_container(name)}",
        f"--hostname={name.replace('_', '-')}",
        "--systemd=always",
        # Lets systemd shut services in, as on a real host.
        "--cap-add=SYS_ADMIN",
        f"--volume={_KEYS}:{ACCESS}:ro",
    ]


def _container(name):
    return f"ovm-messaging-{name}"


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
        left = deadline - time.monotonic()
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=max(left, 1))
            state = done.stdout.strip()
        except subprocess.TimeoutExpired:
            state = "still booting"
        if state in _BOOTED:
            return
        if time.monotonic() > deadline:
            raise containers.ContainerError(f"{name} has not booted in {PATIENCE} s: it is {state or 'not there'}")
        time.sleep(0.1)


def _have_access():
    """Make what Ansible logs in with, where it is not there yet."""
    _KEYS.mkdir(parents=True, exist_ok=True)
    for key in _KEYS / "key", _KEYS / "host_key":
        if not key.with_name(key.name + ".pub").exists():
            key.unlink(missing_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "molecule", "-f", key], check=True)
    (_KEYS / "sshd_config").write_text(
        f"HostKey {ACCESS}/host_key\nAuthorizedKeysFile {ACCESS}/key.pub\nStrictModes no\n"
        # A locked root gets in as well.
        "PermitRootLogin prohibit-password\nUsePAM yes\nSubsystem sftp internal-sftp\n"
    )


def main():
    parser = argparse.ArgumentParser(prog="toolchain.guests", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    added = commands.add_parser("up", help="start a Xen host")
    added.add_argument("name")
    added.add_argument("--no-network", dest="network", action="store_false", help="let it be in no network")
    added = commands.add_parser("guests", help="start guests, and a gateway to them")
    added.add_argument("scenario")
    added.add_argument("systems", nargs="+", metavar="NAME=SYSTEM", help=", ".join(SYSTEMS))
    added = commands.add_parser("stop", help="shut a guest down")
    added.add_argument("--itself", action="store_true", help="only wait until it has done so itself")
    added.add_argument("name")
    added = commands.add_parser("start", help="have a guest boot again")
    added.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait until it has booted")
    added.add_argument("scenario")
    added.add_argument("name")
    added = commands.add_parser("down", help="end a Xen host, or the guests of a scenario")
    added.add_argument("name")
    added = commands.add_parser("connect", help="be an ssh connection to a system")
    added.add_argument("name")
    added = commands.add_parser("wheels", help="fill a wheelhouse for Xen hosts")
    added.add_argument("folder")
    added.add_argument("requirements", nargs="+")
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    run = {"up": up, "guests": guests, "stop": stop, "start": start, "down": down, "connect": connect, "wheels": wheels}
    try:
        containers.prepare({"ssh": "openssh-client"})
        run[command](**arguments)
    except (containers.ContainerError, lab.LabError) as problem:
        sys.exit(f"toolchain.guests: {problem}")
    except subprocess.CalledProcessError as problem:
        sys.exit(f"toolchain.guests: {problem.cmd[0]} failed, see above")
    except subprocess.TimeoutExpired as problem:
        sys.exit(f"toolchain.guests: {' '.join(problem.cmd[-2:])} takes longer than {PATIENCE} s")


if __name__ == "__main__":
    main()
