# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a system this one and no other: its identity, and its traces of the past.

cleanup() takes away what machines made of a template must not have in common, or what is nobody's
business there. It may be run by ssh, and leaves alone what the running session needs.
"""

import glob
import os
import re
import uuid

DESCRIBED = {"configure": [], "cleanup": []}

_MACHINE_ID = "/etc/machine-id"
_DBUS_ID = "/var/lib/dbus/machine-id"
_SEEDS = (
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/random-seed",
    "/boot/loader/random-seed",
    "/boot/efi/loader/random-seed",
    "/efi/loader/random-seed",
)
#: The log of this very run. It is emptied, but that is no change: it is never empty again.
_OWN_LOG = "/var/log/ovm-template-config.log"
_JOURNAL = "/var/log/journal"
#: Logs that are no longer written: of logrotate, and compressed ones.
_OLD_LOG = re.compile(r".*(\.[0-9]+|-[0-9]{8}|\.old|\.gz|\.bz2|\.xz|\.zst)")
_REMOVED = (
    # who has logged in, and when
    "/var/lib/wtmpdb/wtmp.db",
    "/var/lib/lastlog/lastlog2.db",
    # packages and lists of them, which can be had again
    "/var/cache/apt/archives/*.deb",
    "/var/cache/apt/archives/partial/*",
    "/var/cache/dnf/*",
    "/var/cache/libdnf5/*",
    "/var/cache/yum/*",
    # what cloud-init has done here
    "/var/lib/cloud/instance",
    "/var/lib/cloud/instances",
    "/var/lib/cloud/data",
    "/var/lib/cloud/sem",
    # memory of programs that have crashed, which may have anything in it
    "/var/lib/systemd/coredump/*",
    "/var/crash/*",
    "/var/spool/abrt/*",
    # how the template was installed, root's first password included
    "/root/anaconda-ks.cfg",
    "/root/original-ks.cfg",
    "/root/initial-setup-ks.cfg",
    "/root/install.log",
    "/root/install.log.syslog",
)
_MAIL = ("/var/spool/mail", "/var/mail")
_HISTORIES = (
    ".*_history",  # of shells, Pythons, databases
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
)
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - nothing is made there
_MOUNTS = "/proc/self/mounts"
#: Of running services and sessions, and of Ansible.
_KEPT = re.compile(
    r"systemd-private-.*|\.(X11|ICE|XIM|font|Test)-unix|\.X[0-9]+-lock|snap-private-tmp|\.?(ansible|ssh-|tmux-).*"
)


def configure(machine, parameters):
    """See that the system has an identity; systemd has given it one at boot already, if it runs here."""
    if (machine.read(_MACHINE_ID) or "").strip() in ("", "uninitialized"):
        if machine.has("systemd-machine-id-setup"):
            command = ["systemd-machine-id-setup"] + (["--root=" + machine.root] if machine.root != "/" else [])
            machine.run("make a machine-id", command)
        else:
            machine.write(_MACHINE_ID, uuid.uuid4().hex + "\n", mode=0o444)
    if machine.is_directory(os.path.dirname(_DBUS_ID)) and not machine.exists(_DBUS_ID):
        machine.link(_DBUS_ID, _MACHINE_ID)
    if machine.is_directory(os.path.dirname(_SEEDS[0])) and not machine.exists(_SEEDS[0]):
        machine.write(_SEEDS[0], os.urandom(512), mode=0o600)


def cleanup(machine, parameters):
    """Seal: machine-id last, as tools want it until then."""
    _remove_seeds(machine)
    for pattern in _REMOVED:
        for name in machine.glob(pattern):
            machine.remove(name)
    _remove_histories(machine)
    _remove_temporary(machine)
    for folder in _MAIL:
        # One is a link to the other.
        for name in [] if machine.linked(folder) else machine.glob(folder + "/*"):
            if machine.size(name):
                machine.truncate(name)
    _empty_logs(machine)
    if machine.linked(_DBUS_ID) is None:
        machine.remove(_DBUS_ID)
    machine.truncate(_MACHINE_ID)


def _remove_seeds(machine):
    # Its last act, at shutdown, would be to save one more.
    machine.stop("systemd-random-seed")
    for seed in _SEEDS:
        machine.remove(seed)
    # What was encrypted with this could not be read any more; so not where there is such a thing.
    if not machine.glob("/etc/credstore.encrypted/*"):
        machine.remove("/var/lib/systemd/credential.secret")


def _remove_histories(machine):
    for home in sorted({user.home for user in machine.users().values()}):
        for pattern in _HISTORIES:
            for name in machine.glob("%s/%s" % (glob.escape(home.rstrip("/")), pattern)):
                if not machine.is_directory(name):
                    machine.remove(name)


def _remove_temporary(machine):
    used = _used_paths() if machine.live else []
    for folder in _TEMPORARY:
        for name in machine.glob(folder + "/*") + machine.glob(folder + "/.*"):
            path = machine.path(name)
            # Neither what is in use, nor sockets and the like, where somebody listens.
            if not machine.live or not (
                _KEPT.fullmatch(os.path.basename(name))
                or any(one == path or one.startswith(path + "/") for one in used)
                or not (os.path.isfile(path) or os.path.isdir(path) or os.path.islink(path))
            ):
                machine.remove(name)


def _used_paths():
    """What processes have open, where they are, and where something is mounted."""
    used = set()
    for pattern in ("fd/*", "cwd", "exe", "root"):
        for link in glob.iglob("/proc/[0-9]*/" + pattern):
            try:
                used.add(os.readlink(link))
            except OSError:
                pass  # it has ended, or is not ours
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        # a space is \040 there
        used.update(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), line.split()[1]) for line in mounts)
    return used


def _empty_logs(machine):
    """Remove the old, empty the present: they are somebody's, and may be open."""
    if machine.glob(_JOURNAL + "/*"):
        if machine.booted:
            # From systemd 243 on. Before, the journal is gone on disk, and goes on without a name until the shutdown.
            machine.attempt("let the journal leave the disk", ["journalctl", "--relinquish-var"])
        for name in machine.glob(_JOURNAL + "/*"):
            machine.remove(name)
    top = machine.path("/var/log", follow=True)
    for folder, folders, files in os.walk(top):
        folders.sort()
        for file in sorted(files):
            name = "/var/log" + os.path.join(folder, file)[len(top) :]
            if name == _OWN_LOG:
                machine.truncate(name, tell=False)
            elif _OLD_LOG.fullmatch(file):
                machine.remove(name)
            elif machine.size(name):
                machine.truncate(name)
