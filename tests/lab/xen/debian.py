# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks with ordinary Debian systems, made by mmdebstrap, and layers above them."""

import contextlib
import io
import os
import pathlib
import pwd
import shlex
import shutil
import stat
import struct
import subprocess
import tarfile

from .. import LabError, apt
from ..making import say
from ..parts import mmdebstrap
from .packages import SUITE

#: What nobody reads there.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
# Reads a system's archive, writes an image of a disk. No journal: these systems are not meant to last. Devices are the
# kernel's affair, and an ordinary user may not make any.
_IMAGE = """
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/root"
tar --extract --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*' --directory "$place/root"
truncate -s "$1" "$place/disk"
PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$place/root" "$place/disk"
cat "$place/disk"
"""
# Room that a system takes while it is made.
_ROOM = 2 << 30
_CHUNK = 1 << 20
_CLUSTER = 1 << 16
_MAGIC = b"QFI\xfb"


def make(path, what, packages, tree, script, size, place):
    """Make a disk with a Debian system, as an ext4 file system without partitions.

    :param str path: the file to write.
    :param str what: what to call it.
    :param packages: names of packages, besides those without which it is no Debian.
    :param Tree tree: files to put in, all root's.
    :param str script: run in the system by the shell, at last.
    :param int size: of the disk, in bytes.
    :param str place: a folder to work in.
    :raises LabError: it cannot be made; with a remedy.
    """
    say("making %s: a Debian system" % what)
    tool, environment = mmdebstrap()
    environment = dict(environment, TMPDIR=_roomy(place), LC_ALL="C.UTF-8")
    helper = _rights(tool)
    log = os.path.join(place, what + ".log")
    files, settings = os.path.join(place, what + ".tar"), os.path.join(place, what + ".conf")
    pathlib.Path(files).write_bytes(_archive(tree))
    pathlib.Path(settings).write_text(apt.options(), encoding="utf-8")
    command = [
        *tool,
        *("--quiet", "--variant=minbase", "--format=tar", "--mode=" + ("unshare" if helper else "root")),
        *("--include=" + ",".join(packages), "--aptopt=" + settings, "--dpkgopt=force-unsafe-io"),
        *("--dpkgopt=path-exclude=" + pattern for pattern in _LEFT_OUT),
        "--customize-hook=tar-in %s /" % shlex.quote(files),
        '--customize-hook=chroot "$1" sh -euc ' + shlex.quote(script),
        *(SUITE, "-", *apt.mirrors(SUITE)),
    ]
    with open(log, "wb") as output, contextlib.ExitStack() as started:
        common = {"stderr": output, "stdout": subprocess.PIPE, "env": environment, "cwd": "/"}
        system = started.enter_context(subprocess.Popen(command, stdin=subprocess.DEVNULL, **common))
        imager = started.enter_context(
            subprocess.Popen([*helper, "sh", "-euc", _IMAGE, "sh", str(size)], stdin=system.stdout, **common)
        )
        system.stdout.close()
        _copy_sparsely(imager.stdout, path)
    if system.returncode or imager.returncode or os.path.getsize(path) != size:
        said = pathlib.Path(log).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise LabError(
            "mmdebstrap makes no Debian system for %s (%s): see the mirrors in /etc/apt, and that there are %d GB left"
            % (what, "; ".join(said[-5:]), _ROOM >> 30)
        )


def _rights(tool):
    """What makes another user root in a file tree, as the start of a command; nothing for root.

    :raises LabError: the user may not.
    """
    if os.geteuid() == 0:
        return []
    user = pwd.getpwuid(os.geteuid()).pw_name
    with contextlib.suppress(OSError), open("/etc/subuid", encoding="utf-8") as stream:
        if shutil.which("newuidmap") and any(line.partition(":")[0] in (user, str(os.geteuid())) for line in stream):
            return [*tool, "--unshare-helper"]
    raise LabError(
        "a Debian system is made as root, or by a user with a range of numbers for others: run it as root, or have "
        "root install the package uidmap and give %s a range (usermod --add-subuids 200000-265535 --add-subgids "
        "200000-265535 %s)" % (user, user)
    )


def _roomy(place):
    """A folder for a whole system while it is made; memory, if there is enough: it saves half of the time."""
    with contextlib.suppress(OSError):
        found = os.statvfs("/dev/shm")
        if found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & os.ST_NOEXEC:
            return "/dev/shm"
    # Users of another number have no way into a private cache.
    return place if os.geteuid() == 0 else "/tmp"


def _archive(tree):
    """:returns: a Tree as a tar archive: bytes."""
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w") as archive:
        for path, (content, mode) in sorted(tree.files.items()):
            entry = tarfile.TarInfo(path)
            entry.mode = stat.S_IMODE(mode)
            if stat.S_ISLNK(mode):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.decode()
            elif stat.S_ISDIR(mode):
                entry.type = tarfile.DIRTYPE
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return result.getvalue()


def _copy_sparsely(source, path):
    with source, open(path, "wb") as target:
        while True:
            chunk = source.read(_CHUNK)
            if not chunk:
                break
            if chunk.count(0) == len(chunk):
                target.seek(len(chunk), os.SEEK_CUR)
            else:
                target.write(chunk)
        target.truncate()


def layer(path, below):
    """Make a disk that takes up what is written to it, above another one that stays as it is. The form is qcow2.

    :param str path: the file to write.
    :param str below: the other disk's file, qcow2 or raw.
    """
    name = os.path.abspath(below).encode()
    with open(below, "rb") as stream:
        start = stream.read(32)
    form, size = "raw", os.path.getsize(below)
    if start.startswith(_MAGIC):
        form, size = "qcow2", struct.unpack(">24xQ", start)[0]
    tables = -(-size // (_CLUSTER * _CLUSTER // 8))
    kind = struct.pack(">II", 0xE2792ACA, len(form)) + form.encode() + bytes(-len(form) % 8) + bytes(8)
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(_MAGIC, 3, 104 + len(kind), len(name), _CLUSTER.bit_length() - 1, size, 0),
        # Where the first table of the contents is, in the fourth cluster; that of the references in the second.
        *(tables, 3 * _CLUSTER, _CLUSTER, 1, 0, 0, 0, 0, 0, 4, 104),
    )
    clusters = header + kind + name, struct.pack(">Q", 2 * _CLUSTER), struct.pack(">4H", 1, 1, 1, 1), bytes(8 * tables)
    with open(path, "wb") as stream:
        stream.write(b"".join(cluster.ljust(_CLUSTER, b"\0") for cluster in clusters))
