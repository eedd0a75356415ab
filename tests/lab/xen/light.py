# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The light system: dom0 and guests without disks, that boot in seconds.

Each is one archive that the kernel unpacks into memory: busybox, Python, an ssh server, and in
dom0 Xen's tools. The base is kept in the cache. What changes, our own code and who may log in,
is one more archive behind it, made for each run.
"""

import glob
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
from collections import namedtuple

from ansible_collections.ovm.messaging.programs import build

from .. import LabError
from ..making import ROOT, last_error, run, say
from . import packages
from .packages import PYTHON, XEN

#: Where our code is in an image: Python's search path for programs of tests.
LIBRARY = "/usr/lib/ovm"
GUEST_PROGRAMS = ("ovmd", "ovm-template-config", "ovm-chkconfig")
DOM0_PROGRAMS = ("ovm-gateway", "ovm_vmmessage")

#: dom0's and guests' addresses on the bridge.
DOM0_ADDRESS = "10.9.0.1"

_HERE = os.path.dirname(os.path.abspath(__file__))
#: Programs of tests, for dom0 and guests.
TEST_PROGRAMS = os.path.join(ROOT, "tests", "xen", "programs")
_SITE = "usr/lib/python3/dist-packages"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
#: Of Python's library, what nothing here wants.
_LEFT_OUT = ("lib2to3", "distutils", "pydoc_data", "idlelib", "turtle.py", "turtledemo", "test", "__pycache__")
# Neither needs a place for files: what is written stays in memory.
_FOLDERS = ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "root", "var/log", "var/lib", "var/tmp", "lib64")
_INITTAB = """\
::sysinit:/etc/rc
::respawn:/usr/sbin/dropbear -F -E -R -s -K 0
::ctrlaltdel:/sbin/reboot
"""


class Images(namedtuple("Images", ("hypervisor", "kernel", "initrd"))):
    """What a machine boots: paths of files."""

    __slots__ = ()


def make(folder, key):
    """The images of a light system, with the code as it is now.

    :param str folder: where to put what is made for this run.
    :param str key: the public key of who may log in as root.
    :rtype: Images
    :raises LabError: something cannot be had; with a remedy.
    """
    have, common = packages.get(), base()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        ours = _our_code(have, place)
    login = {"root/.ssh/authorized_keys": (key.encode() + b"\n", 0o600)}
    guest = Tree({**{name: file for name, file in ours.items() if not _only_dom0(name)}, **login})
    dom0 = Tree({**ours, **login})
    initrd = os.path.join(folder, "initrd")
    with open(initrd, "wb") as stream:
        with open(os.path.join(common, "dom0"), "rb") as archive:
            shutil.copyfileobj(archive, stream)
        with open(os.path.join(common, "guest"), "rb") as archive:
            dom0.file("boot/initrd", archive.read() + guest.archive())
        stream.write(dom0.archive())
    return Images(have.hypervisor, have.kernel, initrd)


def base():
    """What the images of all runs have in common, made where it is not there yet: a folder.

    :rtype: str
    :raises LabError: something cannot be had; with a remedy.
    """
    have = packages.get()
    return packages.kept("light", _key(have), "making images", _Base(have))


def _only_dom0(name):
    return name.rpartition("/")[2] in DOM0_PROGRAMS


def _key(have):
    """What the base depends on."""
    key = hashlib.sha256(have.root.encode() + packages.wheels().encode())
    for path in sorted(glob.glob(os.path.join(_HERE, "*.sh"))) + [__file__]:
        key.update(pathlib.Path(path).read_bytes())
    return key.hexdigest()[:12]


# --- the base ---------------------------------------------------------------------------


class _Base:
    """Makes the base of the images, in a folder."""

    def __init__(self, have):
        self._have = have

    def __call__(self, place):
        say("making the images of dom0 and guests")
        folder = os.path.join(place, "base")
        os.mkdir(folder)
        python = self._python(place)
        for name, make_tree in (("guest", self._guest), ("dom0", self._dom0)):
            pathlib.Path(folder, name).write_bytes(make_tree(python).archive())
        return folder

    def _python(self, place):
        """Python's library and what was fetched with pip, as bytecode: compiling is slow where the images run."""
        compiled = {}
        for source, target in (
            (os.path.join(self._have.root, "usr/lib", PYTHON), "usr/lib/" + PYTHON),
            (packages.wheels(), _SITE),
        ):
            folder = os.path.join(place, "python", target)
            # Links lead out of the folder, to what nobody needs.
            shutil.copytree(source, folder, ignore=_ignore, symlinks=True)
            _compile(self._have, folder, "/" + target, "-b")
            compiled[target] = folder
        return compiled

    def _common(self, python, modules):
        root = self._have.root
        tree = Tree()
        for folder in _FOLDERS:
            tree.folder(folder, 0o1777 if folder.endswith("tmp") else 0o755)
        tree.link("lib", "usr/lib")
        tree.link("var/run", "../run")
        tree.link("var/lock", "../run/lock")
        tree.copy(os.path.join(root, "bin/busybox"), "bin/busybox")
        done = run([os.path.join(root, "bin/busybox"), "--list-full"])
        for applet in done.stdout.split():
            if applet != "bin/busybox":
                tree.link(applet, "/bin/busybox")
        tree.link("init", "/bin/busybox")
        tree.copy(os.path.join(root, "usr/bin", PYTHON), "usr/bin/python3")
        tree.bytecode(python["usr/lib/" + PYTHON], "usr/lib/" + PYTHON)
        tree.copy(os.path.join(root, "usr/sbin/dropbear"), "usr/sbin/dropbear")
        for name, path in self._have.libraries().items():
            if not name.startswith("libxen"):
                tree.copy(path, _LIBRARIES + "/" + name)
        tree.copy(os.path.join(root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), "lib64/ld-linux-x86-64.so.2")
        tree.file("etc/passwd", b"root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/false\n")
        tree.file("etc/group", b"root:*:0:\nnogroup:*:65534:\n")
        tree.file("etc/hosts", b"127.0.0.1 localhost\n")
        tree.file("etc/inittab", _INITTAB.encode())
        tree.folder("etc/dropbear", 0o700)
        tree.folder("root", 0o700)
        tree.folder("root/.ssh", 0o700)
        names = []
        for path in self._have.modules(modules):
            names.append("/lib/modules/" + os.path.basename(path))
            tree.copy(path, "usr" + names[-1])
        tree.file("etc/modules", "".join(name + "\n" for name in names).encode())
        return tree

    def _guest(self, python):
        tree = self._common(python, packages.GUEST_MODULES)
        tree.copy(os.path.join(_HERE, "guest_rc.sh"), "etc/rc", 0o755)
        return tree

    def _dom0(self, python):
        root = self._have.root
        tree = self._common(python, packages.DOM0_MODULES)
        tree.copy(os.path.join(_HERE, "dom0_rc.sh"), "etc/rc", 0o755)
        tree.copy(os.path.join(_HERE, "vif_bridge.sh"), "etc/xen/scripts/vif-bridge", 0o755)
        tree.file("etc/xen/xl.conf", b"autoballoon=0\n")
        for name, path in self._have.libraries().items():
            if name.startswith("libxen"):
                tree.copy(path, _LIBRARIES + "/" + name)
        tools = "usr/lib/xen-%s/bin" % XEN
        for tool in ("xl", "xenstored", "xenconsoled", "xenconsole", "libxl-save-helper", "xen-init-dom0"):
            tree.copy(os.path.join(root, tools, tool), tools + "/" + tool)
            tree.link("usr/sbin/" + tool, "/%s/%s" % (tools, tool))
        for path in glob.glob(os.path.join(root, "usr/bin/xenstore*")):
            tree.copy(path, "usr/bin/" + os.path.basename(path))
        tree.bytecode(python[_SITE], _SITE)
        tree.copy(self._have.kernel, "boot/vmlinux")
        return tree


def _ignore(_folder, names):
    return [name for name in names if name in _LEFT_OUT or name.endswith((".a", ".exe"))]


def _compile(have, folder, target, *options):
    """Compile all of a folder with the images' Python.

    :param str target: where the folder is in an image.
    """
    command = [have.python, "-m", "compileall", "-q", "-s", folder, "-p", target]
    command += ["--invalidation-mode", "unchecked-hash", *options, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError("cannot compile for the images%s: see %s" % (last_error(done), folder))


# --- our code ---------------------------------------------------------------------------


def _our_code(have, place):
    """What images have of this collection and its tests.

    :returns: path -> content and mode, as a Tree wants them.
    """
    collection = "ansible_collections/ovm/messaging/plugins/module_utils"
    copied = os.path.join(place, "library")
    for source, target in (
        (os.path.join(ROOT, "plugins", "module_utils"), collection),
        (TEST_PROGRAMS, "programs"),
    ):
        shutil.copytree(source, os.path.join(copied, target), ignore=_ignore)
    _compile(have, copied, LIBRARY)
    tree = Tree()
    tree.copy(copied, LIBRARY.strip("/"))
    for name in GUEST_PROGRAMS + DOM0_PROGRAMS:
        path, _new = build.build(name, os.path.join(place, "built"), "/usr/bin/python3", [have.python])
        tree.copy(str(path), "usr/bin/" + name, 0o755)
    return tree.files


# --- archives ---------------------------------------------------------------------------


class Tree:
    """Files for an archive that a kernel unpacks at its start; all are root's.

    :ivar dict files: path -> content and mode.
    """

    def __init__(self, files=()):
        self.files = dict(files)

    def file(self, path, content, mode=0o644):
        self.files[path] = content, stat.S_IFREG | mode

    def folder(self, path, mode=0o755):
        self.files[path] = b"", stat.S_IFDIR | mode

    def link(self, path, target):
        self.files[path] = target.encode(), stat.S_IFLNK | 0o777

    def copy(self, source, path, mode=None):
        """Take a file, or a folder with all that is in it."""
        if os.path.isdir(source):
            for name in sorted(os.listdir(source)):
                self.copy(os.path.join(source, name), path + "/" + name, mode)
        elif os.path.isfile(source):
            executable = os.stat(source).st_mode & 0o100
            self.file(path, pathlib.Path(source).read_bytes(), mode or (0o755 if executable else 0o644))

    def bytecode(self, source, path):
        """Take a folder of Python, without the sources of what is compiled beside them."""
        self.copy(source, path)
        for name in [name for name in self.files if name.startswith(path) and name + "c" in self.files]:
            del self.files[name]

    def archive(self):
        """The archive, in the form that the kernel reads.

        :rtype: bytes
        """
        files = {parent: (b"", stat.S_IFDIR | 0o755) for path in self.files for parent in _parents(path)}
        files.update(self.files)
        parts = []
        # A folder sorts before what is in it.
        for number, (path, (content, mode)) in enumerate(sorted(files.items()), 1):
            parts += _entry(path, content, mode if stat.S_IFMT(mode) else stat.S_IFREG | mode, number)
        parts += _entry("TRAILER!!!", b"", 0, 0)
        whole = b"".join(parts)
        # Another archive may follow.
        return whole + bytes(-len(whole) % 512)


def _parents(path):
    parent = os.path.dirname(path)
    while parent:
        yield parent
        parent = os.path.dirname(parent)


def _entry(path, content, mode, number):
    """One file of an archive, form "newc" of cpio."""
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return [header, name, bytes(-(len(header) + len(name)) % 4), content, bytes(-len(content) % 4)]
