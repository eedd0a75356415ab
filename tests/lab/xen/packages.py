# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Xen host is made of, fetched and unpacked: the same packages on whatever system this runs."""

import glob
import gzip
import hashlib
import lzma
import os
import platform
import re
import shutil
import sys

from .. import LabError
from ..apt import Apt
from ..making import ROOT, cache, forget, last_error, made, run, say

#: The part of the cache folder that all of this is in.
CACHE = "xen"
#: The Debian release that all images are of.
SUITE = "bookworm"
XEN = "4.17"
PYTHON = "python3.11"

#: Packages of the images, without their dependencies: each library that a program wants is named.
NAMES = (
    *("xen-hypervisor-%s-amd64" % XEN, "xen-utils-" + XEN, "xenstore-utils"),
    *("libxenstore4", "libxenmisc" + XEN, "libxentoolcore1", "libxencall1", "libxendevicemodel1", "libxenevtchn1"),
    *("libxenforeignmemory1", "libxengnttab1", "libxenhypfs1", "libxentoollog1", "libyajl2"),
    *("busybox-static", "dropbear-bin", "libtomcrypt1", "libtommath1", "libgmp10"),
    *(PYTHON + "-minimal", "lib" + PYTHON + "-minimal", "lib" + PYTHON + "-stdlib"),
    *("libc6", "libgcc-s1", "zlib1g", "liblzma5", "libbz2-1.0", "libzstd1", "libuuid1", "libexpat1", "libcrypt1"),
    *("libssl3", "libsqlite3-0", "libffi8", "libtinfo6", "libncurses6"),
)
#: Kernel modules of dom0 and of guests; what they depend on is found.
DOM0_MODULES = ("virtio_net", "virtio_pci", "bridge", "xen-evtchn", "xen-privcmd", "xen-gntdev", "xen-gntalloc")
DOM0_MODULES += ("xenfs", "xen-netback")
GUEST_MODULES = ("xen-netfront", "xen-evtchn", "xen-privcmd", "xenfs")
#: What a system on a disk needs besides: in dom0 and in guests, so that one initramfs serves both.
DISK_MODULES = ("crc32c_generic", "ext4", "virtio_blk", "xen-blkfront", "autofs4")
#: What dom0 needs to hand disks on to guests.
DISK_HOST_MODULES = ("xen-blkback", "loop", "dm-mod", "dm-snapshot")


QEMU = "qemu-system-x86_64"
#: The one that is tried, and that SUITE has. With QEMU 10, PVH guests end as soon as they start.
QEMU_VERSION = "7.2"
# Of all that it depends on: not what only an installed system needs.
_QEMU_WANTED = re.compile(r"(lib|qemu-system-|seabios|zlib1g|gcc-)")


class Packages:
    """The unpacked packages.

    :ivar str root: folder, as ``/`` would be. ``boot/xen`` is the hypervisor and ``boot/vmlinux`` the kernel, both
        plain ELF: QEMU wants the one so, and unpacking the other is slow where each instruction is computed.
    :ivar str python: a command that runs the images' Python on this machine, to compile for it.
    """

    def __init__(self, root):
        self.root = root
        self.python = os.path.join(root, "python")
        self.hypervisor = os.path.join(root, "boot", "xen")
        self.kernel = os.path.join(root, "boot", "vmlinux")

    def libraries(self):
        """The shared libraries, by the names under which programs look for them.

        :rtype: dict
        """
        folders = [os.path.join(self.root, folder, "x86_64-linux-gnu") for folder in ("lib", "usr/lib")]
        paths = [path for folder in folders for path in glob.glob(os.path.join(folder, "*.so.*"))]
        links = {os.path.realpath(path) for path in paths if os.path.islink(path)}
        return {os.path.basename(path): path for path in paths if path not in links}

    def modules(self, names):
        """Kernel modules and those that they need, in the order in which they can be loaded.

        :rtype: list of str
        """
        found = {
            _module_name(path): path
            for path in glob.glob(os.path.join(self.root, "lib/modules/*/kernel/**/*.ko"), recursive=True)
        }
        return _ordered(found, names)


def get():
    """:returns: the packages, fetched where they are not there yet.
    :rtype: Packages
    :raises LabError: naming what cannot be had, and a remedy.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        raise LabError("real Xen is tried on x86-64 only, this is %s: use such a machine" % platform.machine())
    return Packages(kept("packages", _key(), "fetching Xen, Linux and Python for its images", _fetch))


def qemu():
    """The path of QEMU: this system's if that is the one that is tried, else fetched where it is not there yet.

    :raises LabError: it cannot be had; with a remedy.
    """
    found = shutil.which(QEMU)
    if found and re.search(r"version %s\b" % re.escape(QEMU_VERSION), run([found, "--version"]).stdout):
        return found
    try:
        return os.path.join(kept("qemu", _key(), "fetching QEMU", _fetch_qemu), QEMU)
    except LabError as problem:
        raise LabError(
            "there is no %s %s, and it cannot be fetched: %s; or have it on the PATH (on Debian 12 as root: apt-get "
            "install qemu-system-x86)" % (QEMU, QEMU_VERSION, problem)
        ) from problem


def wheels():
    """The libraries that our programs want in dom0: a folder for its Python's path, fetched where it is not there.

    :raises LabError: they cannot be had; with a remedy.
    """
    files = sorted(glob.glob(os.path.join(ROOT, "programs", "*", "requirements.txt")))
    key = hashlib.sha256(PYTHON.encode())
    for file in files:
        with open(file, "rb") as stream:
            key.update(stream.read())

    def make(place):
        say("fetching what ovm-gateway and ovm_vmmessage want, with pip")
        target = os.path.join(place, "wheels")
        command = [sys.executable, "-m", "pip", "--quiet", "install", "--target", target, "--only-binary=:all:"]
        command += ["--no-compile", "--python-version=" + PYTHON[len("python") :], "--implementation=cp"]
        command += ["--platform=manylinux_2_%d_x86_64" % minor for minor in (36, 34, 28, 17)]
        command += ["--platform=manylinux2014_x86_64"]
        for file in files:
            command += ["-r", file]
        done = run(command)
        if done.returncode:
            raise LabError(
                "pip gets not what our programs want in dom0%s: see pip's settings for the index" % last_error(done)
            )
        return target

    return kept("wheels", key.hexdigest()[:12], "fetching Python libraries", make)


def _key():
    """What tells one version of what is fetched from another: what fetches it."""
    with open(__file__, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()[:12]


def kept(name, key, what, make):
    """Have a folder in the cache.

    :param str name: what it has.
    :param str key: which version of that.
    :param str what: what is done when it is made.
    :param make: see making.made().
    :returns: its path.
    """
    start = os.path.join(cache(CACHE), name + "-")
    path = made(start + key, what, make, CACHE)
    forget(start + "*", path)
    return path


# --- fetching ---------------------------------------------------------------------------


def _fetch(place):
    apt = Apt(place, "/dev/null", SUITE)
    depends = apt.run("apt-cache", "depends", "linux-image-amd64").stdout
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if not kernel:
        raise LabError(
            "apt offers no package linux-image-amd64 of Debian %s%s: have /etc/apt name a mirror of it that this "
            "machine reaches" % (SUITE, last_error(apt.updated))
        )
    apt.unpack([*NAMES, kernel[1]])
    root = os.path.join(place, "root")
    _plain_hypervisor(root)
    _plain_kernel(root)
    _drop_modules(root)
    _command(root, "python", PYTHON, "PYTHONHOME=$root/usr")
    _try(root, "python", "-c", "import sqlite3, ssl, zlib")
    return root


def _plain_hypervisor(root):
    with gzip.open(os.path.join(root, "boot", "xen-%s-amd64.gz" % XEN)) as packed:
        with open(os.path.join(root, "boot", "xen"), "wb") as plain:
            shutil.copyfileobj(packed, plain)


def _plain_kernel(root):
    [path] = glob.glob(os.path.join(root, "boot", "vmlinuz-*"))
    with open(path, "rb") as stream:
        packed = stream.read()
    start = packed.find(b"\xfd7zXZ\0")
    if start < 0:
        raise LabError("Debian's kernel %s is not packed with xz any more: have packages.py unpack it" % path)
    with open(os.path.join(root, "boot", "vmlinux"), "wb") as plain:
        plain.write(lzma.LZMADecompressor().decompress(packed[start:]))


def _drop_modules(root):
    """Remove the kernel's modules that no image has: nearly all, and 400 MB."""
    packages = Packages(root)
    kept = set(packages.modules(DOM0_MODULES + GUEST_MODULES + DISK_MODULES + DISK_HOST_MODULES))
    for path in glob.glob(os.path.join(root, "lib/modules/*/kernel/**/*.ko"), recursive=True):
        if path not in kept:
            os.unlink(path)


def _fetch_qemu(place):
    apt = Apt(place, "/dev/null", SUITE)
    apt.unpack([name for name in apt.needed("qemu-system-x86") if _QEMU_WANTED.match(name)])
    root = os.path.join(place, "root")
    firmware = [option for name in ("qemu", "seabios") for option in ("-L", '"$root"/usr/share/' + name)]
    _command(root, QEMU, QEMU, "QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu", *firmware)
    _try(root, QEMU, "--version")
    return root


def _command(root, name, program, setting, *arguments):
    """Make a command of an unpacked program, which finds its own libraries wherever the folder is."""
    path = os.path.join(root, name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(
            "#!/bin/sh\n"
            'root=$(dirname "$(readlink -f "$0")")\n'
            "libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu\n"
            'export "%s"\n'
            "loader=$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n"
            'exec "$loader" --library-path "$libraries" "$root/usr/bin/%s" %s "$@"\n'
            % (setting, program, " ".join(arguments))
        )
    os.chmod(path, 0o755)


def _try(root, name, *arguments):
    done = run([os.path.join(root, name), *arguments])
    if done.returncode:
        raise LabError("Debian's %s does not run here%s: use an ordinary Linux on x86-64" % (name, last_error(done)))


# --- modules ----------------------------------------------------------------------------


def _module_name(path):
    """A module by the name that others call it."""
    return os.path.basename(path).removesuffix(".ko").replace("-", "_")


def _ordered(found, names):
    ordered = []
    for name in names:
        path = found.get(name.replace("-", "_"))
        if path is None:
            raise LabError("Debian's kernel has no module %s: see packages.py for those that are wanted" % name)
        with open(path, "rb") as stream:
            needs = re.search(rb"\0depends=([\w,-]*)\0", stream.read())
        for one in [*_ordered(found, [need for need in needs[1].decode().split(",") if need] if needs else []), path]:
            if one not in ordered:
                ordered.append(one)
    return ordered
