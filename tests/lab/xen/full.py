# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The full system: dom0 and its guests are ordinary Debian systems, with systemd, sshd and Python.

Two disks are made, dom0's and a template of guests. dom0 boots once, with a guest of the template's
disk. This is kept: each run begins where it has stopped then. All of it is in the cache folder.
"""

import concurrent.futures
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import time

from .. import LabError
from ..making import ROOT, last_error, run, say
from . import debian, light, machine, packages
from .host import Domain, Host
from .ssh import Key, Shell

#: What guests are. PVH ones are faster here, but some crash after minutes of work.
GUEST_KIND = "pv"
#: The template's address as a domain.
GUEST_ADDRESS = "10.9.1.1"
#: The template as a domain, and dom0's device that is its disk.
TEMPLATE, TEMPLATE_DISK = "template", "/dev/vdb"
#: Names an image of a disk of yours, which becomes the template's.
OWN_TEMPLATE = "OVM_XEN_TEMPLATE"
#: dom0's ports that are reached from here: sshd, and the gateway.
PORTS = (22, 7002)

_COMMON = ("systemd-sysv", "dbus", "udev", "python3", "openssh-server", "iproute2", "procps", "tzdata", "kmod")
#: Besides, the template has what its users need.
_GUEST = ("sudo",)
_DOM0 = ("xen-utils-" + packages.XEN, "xenstore-utils", "dmsetup", "python3-venv")
_DISK = 1 << 30
# In the order in which dom0 sees them.
_DISKS = ("dom0", TEMPLATE)
# What a run writes to one; in its folder are other things of that name.
_LAYER = "%s.qcow2"
_MEMORY_FILE = "memory"
_MEMORY, _DOM0_MEMORY, _GUEST_MEMORY = 2816, 1024, 384
_ARGUMENTS = "root=%s rw net.ifnames=0 systemd.show_status=0"

# What starts by itself on a Debian system and is of no use here. A start costs up to a second of computing, where a
# computer would need a hundredth of that.
_NOT_STARTED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("e2scrub_reap.service", "fstrim.timer", "systemd-tmpfiles-clean.timer"),
    *("systemd-networkd-wait-online.service", "systemd-logind.service", "getty@.service", "serial-getty@.service"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "modprobe@.service"),
    *("kmod-static-nodes.service", "systemd-network-generator.service", "systemd-pstore.service"),
    *("systemd-remount-fs.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *("systemd-initctl.socket", "systemd-ask-password-wall.path", "systemd-ask-password-console.path"),
    *("systemd-hwdb-update.service", "ldconfig.service", "systemd-journal-catalog-update.service"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("sys-kernel-config.mount", "sys-fs-fuse-connections.mount"),
)
_GENERATORS = (
    *("systemd-cryptsetup-generator", "systemd-debug-generator", "systemd-fstab-generator"),
    *("systemd-getty-generator", "systemd-gpt-auto-generator", "systemd-hibernate-resume-generator"),
    *("systemd-integritysetup-generator", "systemd-rc-local-generator", "systemd-run-generator"),
    *("systemd-system-update-generator", "systemd-veritysetup-generator"),
)
_FEW_DEVICES = """\
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net --subsystem-match=block
"""
_NETWORK = "[Match]\nName=%s\n\n[Network]\nLinkLocalAddressing=no\nConfigureWithoutCarrier=yes\nAddress=%s\n"
_BRIDGE = "[NetDev]\nName=xenbr0\nKind=bridge\nMACAddress=00:16:3e:00:00:01\n"
# As xl in dom0 has it.
_TEMPLATE_CONFIGURATION = "/etc/xen/%s.cfg" % TEMPLATE
_TEMPLATE_GUEST = {
    "name": TEMPLATE,
    "type": GUEST_KIND,
    "kernel": "/boot/vmlinux",
    "ramdisk": "/boot/initrd",
    "extra": "%s %s" % (machine.KERNEL_ARGUMENTS, _ARGUMENTS % "/dev/xvda"),
    "memory": _GUEST_MEMORY,
    "vcpus": 1,
    "tsc_mode": "native",
    "disk": ["phy:%s,xvda,w" % TEMPLATE_DISK],
    "vif": ["mac=00:16:3e:09:ff:01,bridge=xenbr0"],
}
# What udev would load too late.
_DOM0_EARLY = ("crc32c_generic", "ext4", "virtio_pci", "virtio_blk", "virtio_net")
_GUEST_EARLY = ("crc32c_generic", "ext4", "xen-blkfront", "xen-netfront")
_INIT = """\
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
for module in %s; do busybox insmod "/lib/$module"; done
for word in $(busybox cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; esac
done
until [ -b "$root" ]; do busybox sleep 0.1; done
busybox mount -t ext4 -o rw,noatime "$root" /root
busybox mount -o move /dev /root/dev
busybox umount /proc
exec busybox switch_root /root /sbin/init
"""
_SETTLE = """
depmod "$(ls /lib/modules)"
systemctl --quiet enable systemd-networkd
systemctl --quiet disable systemd-networkd-wait-online
sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sshd_config
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
: >/etc/fstab
"""
# Where the role ovm_gateway looks for its libraries, by the role's own code, so that it finds them whole. To install
# them in dom0 itself takes more than a minute.
_SETTLE_DOM0 = """
code=$(cat /wheels/environment.py)
python3 -Ic "$code" make /opt/ovm-gateway/venv
cd /wheels
/opt/ovm-gateway/venv/bin/python3 -Ic "$code" pip --quiet --no-index --find-links /wheels <requirements.txt
cd /
rm -r /wheels
"""
_VIF = (
    "#!/bin/sh\n"
    "# What xl has done for a guest's network card: it is put on the bridge.\n"
    '[ "$1" = online ] || exit 0\n'
    'ip link set dev "$vif" master xenbr0 up && exec xenstore-write "$XENBUS_PATH/hotplug-status" connected\n'
    'xenstore-write "$XENBUS_PATH/hotplug-status" error\n'
    "exit 1\n"
)
_CLONE = """
file=/var/lib/xen/$1.changes
rm -f "$file"
truncate -s 512M "$file"
loop=$(losetup --find --show "$file")
echo "0 $(blockdev --getsz %s) snapshot %s $loop N 16" | dmsetup create "$1"
""" % (TEMPLATE_DISK, TEMPLATE_DISK)


class Full:
    """A running full system.

    :ivar Machine machine: the computer.
    :ivar Shell dom0: commands in dom0.
    :ivar Host host: its toolstack.
    :ivar Domain template: the guest that runs on the template's own disk.
    :ivar Key key: who may log in as root.
    """

    def __init__(self, machine_, key):
        self.machine, self.key = machine_, key
        self.dom0 = machine_.dom0
        self.host = Host(machine_.dom0, key)
        shell = Shell("guest " + TEMPLATE, GUEST_ADDRESS, key, via=machine_.dom0)
        self.template = Domain(self.host, TEMPLATE, GUEST_KIND, shell, _TEMPLATE_CONFIGURATION)

    def close(self):
        self.template.shell.close()
        self.host.close()

    def clone(self, name, **options):
        """Boot a new domain with a copy of the template's disk; the template must be shut down.

        It has no network before it is configured; ``shell.host`` is the address to give it.

        :rtype: Domain
        """
        self.dom0.run("sh", "-euc", _CLONE, "sh", name)
        disk = "format=raw,vdev=xvda,access=rw,backendtype=phy,target=/dev/mapper/" + name
        settings = {"memory": _GUEST_MEMORY, "disk": [disk], "kind": GUEST_KIND, "arguments": _ARGUMENTS % "/dev/xvda"}
        return self.host.create(name, wait=False, **{**settings, **options})


@contextlib.contextmanager
def full_system():
    """The full system as a person may want it: the machine, and shells by name.

    With an own template, dom0 has just booted, and nothing runs there yet.
    """
    own = os.environ.get(OWN_TEMPLATE)
    if not own:
        with running() as system:
            yield system.machine, {"dom0": system.dom0, TEMPLATE: system.template.shell}
        return
    if not os.path.isfile(own):
        raise LabError(
            "%s is %s, and there is no such file: name an image of a disk, raw or qcow2" % (OWN_TEMPLATE, own)
        )
    disks = _disks()
    with _in_folder() as folder, _machine(disks, Key(disks), folder, own=own) as one:
        one.start()
        say(
            "your disk is dom0's %s; there, have %s fit it, and xl create -c it"
            % (TEMPLATE_DISK, _TEMPLATE_CONFIGURATION)
        )
        yield one, {"dom0": one.dom0}


@contextlib.contextmanager
def _in_folder():
    folder = machine.make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running():
    """Have the full system, with the template running as a guest.

    :rtype: Full
    :raises LabError: something cannot be had; with a remedy.
    """
    disks = _disks()
    state = packages.kept("full-state", _state_key(disks), "booting the full system", functools.partial(_boot, disks))
    key = Key(disks)
    with _in_folder() as folder, _machine(disks, key, folder, state) as one:
        _go_on(one)
        _set_clock(one.dom0)
        system = Full(one, key)
        try:
            system.template.wait()
            _set_clock(system.template.shell)
            yield system
        finally:
            system.close()


# --- starting ---------------------------------------------------------------------------


def _machine(disks, key, folder, state=None, own=None):
    """The computer, to be booted, or to go on where it has stopped.

    :param str state: a folder with what it had in memory and on its disks then.
    :param str own: a disk for the template other than ours.
    """
    for name in _DISKS:
        below = os.path.join(state, _LAYER % name) if state else os.path.join(disks, name)
        if own and name == TEMPLATE:
            below = own
        debian.layer(os.path.join(folder, _LAYER % name), below)
    if state:
        _link(os.path.join(state, _MEMORY_FILE), os.path.join(folder, _MEMORY_FILE))
    return _computer(disks, key, folder, ["-incoming", "exec:cat " + _MEMORY_FILE] if state else [])


def _computer(disks, key, folder, options=()):
    have = packages.get()
    drives = [word for name in _DISKS for word in ("-drive", "file=%s,if=virtio,cache=unsafe" % (_LAYER % name))]
    return machine.Machine(
        light.Images(have.hypervisor, have.kernel, os.path.join(disks, "initrd")),
        key, folder, _MEMORY, _DOM0_MEMORY, _ARGUMENTS % "/dev/vda", [*drives, *options], PORTS,
    )  # fmt: skip


def _go_on(one):
    """Have a machine read the memory that it had, and go on."""
    one.start(timeout=None)
    status = machine.wait_until(lambda: _moved(one), 300, lambda: one.monitor("info migrate"))
    if status != "completed":
        raise LabError("QEMU does not read the full system's memory: %s" % one.monitor("info migrate"))
    one.monitor("cont")
    one.dom0.wait(still=one.alive)


def _boot(disks, place):
    """Boot dom0 and the template, and keep how they are then.

    :returns: a folder with the computer's memory and what was written to its disks.
    """
    say("booting the full system, once for all runs")
    folder, key = os.path.join(place, "state"), Key(disks)
    os.mkdir(folder)
    with _machine(disks, key, folder) as one:
        one.start()
        system = Full(one, key)
        system.host.xl("create", "-q", _TEMPLATE_CONFIGURATION)
        system.template.wait()
        for shell in (system.template.shell, one.dom0):
            shell.run("sync")
        system.close()
        one.dom0.close()
        one.monitor("stop")
        one.monitor("migrate_set_parameter max-bandwidth 16G")
        one.monitor('migrate "exec:cat >%s"' % _MEMORY_FILE)
        status = machine.wait_until(lambda: _moved(one), 300, lambda: one.monitor("info migrate"))
        if status != "completed":
            raise LabError("QEMU does not write the full system's memory: %s" % one.monitor("info migrate"))
        # Its disks are written to the end then.
        one.monitor("quit")
        one.wait()
    return folder


def _moved(one):
    """How the memory's way to or from a file has ended; None: it has not."""
    found = re.search(r"Migration status: (completed|failed|cancelled)", one.monitor("info migrate"))
    return found and found[1]


def _set_clock(shell):
    """Have it the time that it is now, wherever the machine's memory is from."""
    shell.run("date", "--utc", "--set", "@%.3f" % time.time())


def _state_key(disks):
    version = run([packages.qemu(), "--version"]).stdout
    command = _computer(disks, None, os.devnull)._command()
    return _hashed([disks, version, *command, _TEMPLATE_GUEST])


def _hashed(parts):
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


# --- disks ------------------------------------------------------------------------------


def _disks():
    """A folder with the disks, what boots them, and the key of who may log in; made where it is not there yet."""
    have = packages.get()
    recipes = _recipes(have)
    parts = [[name, kind, script, hashlib.sha256(tree.archive()).hexdigest()] for name, kind, tree, script in recipes]
    key = _hashed([have.root, pathlib.Path(debian.__file__).read_text(encoding="utf-8"), _DISK, *parts])
    make = functools.partial(_make, have, recipes)
    return packages.kept("full-disks", key, "making the disks of the full system", make)


def _make(have, recipes, place):
    folder = os.path.join(place, "disks")
    os.mkdir(folder)
    key = Key(folder)
    _initrd(have, _DOM0_EARLY, os.path.join(folder, "initrd"))
    makers = []
    for name, wanted, tree, script in recipes:
        tree.file("root/.ssh/authorized_keys", key.public.encode() + b"\n", 0o600)
        path = os.path.join(folder, name)
        makers.append(functools.partial(debian.make, path, name, wanted, tree, script, _DISK, place))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for started in [pool.submit(maker) for maker in makers]:
            started.result()
    return folder


def _recipes(have):
    """What is on the disks: name, packages, files, and what is run in the system at last."""
    guest, dom0 = _tree(have, TEMPLATE), _tree(have, "dom0")
    guest.file("etc/systemd/network/50-eth0.network", (_NETWORK % ("eth0", GUEST_ADDRESS + "/16")).encode())
    dom0.file("etc/systemd/network/50-eth0.network", (_NETWORK % ("eth0", "10.0.2.15/24")).encode())
    dom0.file("etc/systemd/network/50-xenbr0.network", (_NETWORK % ("xenbr0", light.DOM0_ADDRESS + "/16")).encode())
    dom0.file("etc/systemd/network/50-xenbr0.netdev", _BRIDGE.encode())
    wanted = packages.DOM0_MODULES + packages.DISK_HOST_MODULES
    dom0.file("etc/modules-load.d/xen.conf", "".join(name + "\n" for name in wanted).encode())
    dom0.file("etc/default/xen", b"XENCONSOLED_TRACE=guest\n")
    dom0.file("etc/xen/scripts/vif-lab", _VIF.encode(), 0o755)
    dom0.file("etc/xen/xl.conf", b'autoballoon="off"\nvif.default.script="vif-lab"\n')
    lines = ["%s = %s\n" % (option, json.dumps(value)) for option, value in _TEMPLATE_GUEST.items()]
    dom0.file(_TEMPLATE_CONFIGURATION.strip("/"), "".join(lines).encode())
    dom0.copy(have.kernel, "boot/vmlinux")
    dom0.copy(_wheels(), "wheels")
    dom0.copy(os.path.join(ROOT, "roles", "ovm_venv", "files", "environment.py"), "wheels/environment.py")
    dom0.file("boot/initrd", _initrd(have, _GUEST_EARLY))
    return [
        [TEMPLATE, _COMMON + _GUEST, guest, _SETTLE],
        ["dom0", _COMMON + _DOM0, dom0, _SETTLE + _SETTLE_DOM0],
    ]


def _wheels():
    """What ovm-gateway wants, for a dom0 that reaches no index: a folder.

    :raises LabError: it cannot be had; with a remedy.
    """
    requirements = pathlib.Path(ROOT, "programs", "ovm-gateway", "requirements.txt")
    # As the role hands them on: without the last end of line.
    text = requirements.read_text("utf-8").rstrip()

    def fetch(place):
        say("fetching what ovm-gateway wants, with pip")
        target = os.path.join(place, "wheels")
        command = [sys.executable, "-m", "pip", "--quiet", "download", "--dest", target, "--only-binary=:all:"]
        command += ["--python-version=" + packages.PYTHON[len("python") :], "--implementation=cp"]
        command += ["--platform=manylinux_2_%d_x86_64" % minor for minor in (36, 34, 28, 17)]
        done = run([*command, "--platform=manylinux2014_x86_64", "-r", str(requirements)])
        if done.returncode:
            raise LabError("pip gets not what ovm-gateway wants%s: see pip's settings for the index" % last_error(done))
        pathlib.Path(target, "requirements.txt").write_text(text, encoding="utf-8")
        return target

    return packages.kept("wheelhouse", _hashed(text), "fetching wheels", fetch)


def _tree(have, name):
    """The files that dom0 and guests have alike."""
    tree = light.Tree()
    tree.folder("root", 0o700)
    tree.folder("root/.ssh", 0o700)
    tree.file("etc/hostname", name.encode() + b"\n")
    tree.file("etc/hosts", b"127.0.0.1 localhost\n127.0.1.1 %s\n" % name.encode())
    for unit in _NOT_STARTED:
        tree.link("etc/systemd/system/" + unit, "/dev/null")
    for generator in _GENERATORS:
        tree.link("etc/systemd/system-generators/" + generator, "/dev/null")
    tree.file("etc/systemd/system/systemd-udev-trigger.service.d/few.conf", _FEW_DEVICES.encode())
    names = packages.DOM0_MODULES + packages.GUEST_MODULES + packages.DISK_MODULES + packages.DISK_HOST_MODULES
    for path in have.modules(names):
        tree.copy(path, "usr/" + os.path.relpath(path, have.root))
    [modules] = (pathlib.Path(have.root) / "lib/modules").iterdir()
    for path in modules.glob("modules.*"):
        tree.copy(str(path), "usr/" + str(path.relative_to(have.root)))
    return tree


def _initrd(have, modules, path=None):
    """What a kernel needs to get at its disk.

    :param path: the file to write, if any.
    :rtype: bytes
    """
    tree = light.Tree()
    for name in ("bin", "dev", "proc", "root", "lib"):
        tree.folder(name)
    tree.copy(os.path.join(have.root, "bin/busybox"), "bin/busybox", 0o755)
    names = []
    for module in have.modules(modules):
        names.append(os.path.basename(module))
        tree.copy(module, "lib/" + names[-1])
    tree.file("init", (_INIT % " ".join(names)).encode(), 0o755)
    content = tree.archive()
    if path:
        pathlib.Path(path).write_bytes(content)
    return content


def _link(source, path):
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(source, path)
