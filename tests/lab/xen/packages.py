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
import subprocess
import sys

from .. import LabError
from ..apt import Apt
from ..making import ROOT, cache, last_error, made, run, say

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
    with open(__file__, "rb") as stream:
        key = hashlib.sha256(stream.read()).hexdigest()[:12]
    path = os.path.join(cache(CACHE), "packages-" + key)
    return Packages(made(path, "fetching Xen, Linux and Python for its images", _fetch, CACHE))


def wheels():
    """The libraries that our programs want in dom0: a folder for its Python's path, fetched where it is not there.

    :raises LabError: they cannot be had; with a remedy.
    """
    files = sorted(glob.glob(os.path.join(ROOT, "programs", "*", "requirements.txt")))
    key = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            key.update(stream.read())
    path = os.path.join(cache(CACHE), "wheels-%s-%s" % (PYTHON, key.hexdigest()[:12]))

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

    return made(path, "fetching Python libraries", make, CACHE)


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
    _python_command(root)
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
    kept = set(packages.modules(DOM0_MODULES + GUEST_MODULES))
    for path in glob.glob(os.path.join(root, "lib/modules/*/kernel/**/*.ko"), recursive=True):
        if path not in kept:
            os.unlink(path)


def _python_command(root):
    """Make a command of the unpacked Python, which finds its own libraries wherever the folder is."""
    path = os.path.join(root, "python")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(
            "#!/bin/sh\n"
            'root=$(dirname "$(readlink -f "$0")")\n'
            "libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu\n"
            'PYTHONHOME=$root/usr exec "$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" '
            '"$root/usr/bin/%s" "$@"\n' % PYTHON
        )
    os.chmod(path, 0o755)
    done = subprocess.run([path, "-c", "import sqlite3, ssl, zlib"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError("Debian's %s does not run here%s: use an ordinary Linux on x86-64" % (PYTHON, last_error(done)))


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
