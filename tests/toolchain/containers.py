# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of bare Debian systems, that reach their packages the way this machine does.

This machine's settings of apt and pip, its certificates and proxies are handed in, whatever
they are. Images and settings are kept in the cache; podman has a storage of its own there.
"""

import hashlib
import os
import pathlib
import re
import resource
import shlex
import shutil
import subprocess

from lab import apt
from toolchain import CACHE, pip_settings

#: The images' archives, podman's storage and its settings.
STORE = CACHE / "fresh"
#: Where a container finds what it is handed.
HANDOVER = "/handover"
# Certificates that the machine's owner added; Debian's ca-certificates takes them up.
_OWN_CERTIFICATES = pathlib.Path("/usr/local/share/ca-certificates")
#: A script that takes over this machine's certificates, before ca-certificates is installed or updated.
TRUST = f"mkdir -p {_OWN_CERTIFICATES} && cp -r {HANDOVER}/certificates/. {_OWN_CERTIFICATES}"
#: Variables that say how to reach the network.
_PASSED_ON = re.compile(r"(https?|ftp|all|no)_proxy|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|GIT_SSL_CAINFO", re.I)
_TOOLS = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}


class ContainerError(Exception):
    """There can be no containers here, and why."""


def prepare(tools=None):
    """Have podman, and settings with which it works.

    :param dict tools: more commands that are needed, and the Debian packages that have them.
    :raises ContainerError: saying what is missing.
    """
    if os.geteuid() != 0:
        raise ContainerError("podman needs root for this: run it as root, for example by sudo")
    _install_tools(dict(_TOOLS, **tools or {}))
    STORE.mkdir(parents=True, exist_ok=True)
    _configure_podman()


def podman(*arguments):
    """A podman command line, on a storage of our own.

    :rtype: list of str
    """
    return ["podman", f"--root={STORE}/storage", f"--runroot={STORE}/run", *arguments]


def remove(name):
    """End and remove a container, if there is one of that name."""
    subprocess.run(
        podman("rm", "--force", "--ignore", "--time=0", name),
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def make_image(name, suite, packages=(), script=""):
    """Have an image of a bare Debian: the packages without which it is none, and those named.

    :param str name: what podman shall call it, but for its tag.
    :param str suite: Debian's name of the release.
    :param str script: run in it by the shell, at last.
    :returns: its full name.
    """
    options, sources = apt.options(), apt.sources(suite)
    key = hashlib.sha256(repr((options, sources, *packages, *[script] * bool(script))).encode()).hexdigest()[:12]
    image = f"{name}:{suite}-{key}"
    if subprocess.run(podman("image", "exists", image), check=False).returncode == 0:
        return image
    archive = STORE / f"{suite}-{key}.tar"
    if not archive.exists():
        print(f"making a bare {suite}", flush=True)
        (STORE / "apt.conf").write_text(options)
        partial = archive.with_suffix(".partial.tar")
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--aptopt={STORE}/apt.conf"]
            + [f"--include={','.join(packages)}"] * bool(packages)
            + [f'--customize-hook=chroot "$1" sh -euc {shlex.quote(script)}'] * bool(script)
            + [suite, str(partial), *sources],
            check=True,
        )
        partial.rename(archive)
    subprocess.run(podman("import", "--quiet", str(archive), image), check=True, stdout=subprocess.DEVNULL)
    return image


def network_options(handover):
    """Options of podman with which a container reaches what this machine reaches.

    :param pathlib.Path handover: a folder, to be kept as long as the container, which sees it as
        HANDOVER. It gets ``pip.conf``, and the certificates for TRUST.
    :rtype: list of str
    """
    pip = pip_settings.read()
    (handover / "pip.conf").write_text(pip_settings.text(pip))
    if _OWN_CERTIFICATES.is_dir():
        shutil.copytree(_OWN_CERTIFICATES, handover / "certificates")
    else:
        (handover / "certificates").mkdir()
    return [
        "--network=host",
        *(f"--env={name}" for name in os.environ if _PASSED_ON.fullmatch(name)),
        f"--volume={handover}:{HANDOVER}:ro",
        f"--volume={handover}/pip.conf:/etc/pip.conf:ro",
        *_mounts(pip),
    ]


# --- what this machine's settings are ---------------------------------------------------


def _mounts(pip):
    """Options of podman that show a container the files that this machine's settings name."""
    paths = set()
    for path in pip_settings.local_paths(pip):
        # An index of package lists has the packages beside it.
        path = path.rstrip("/").removesuffix("/simple")
        # A container makes its own certificates, from the same sources.
        if not path.startswith("/etc/ssl/"):
            paths.add(path)
    paths.update(path for path in ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d") if os.path.exists(path))
    return [f"--volume={path}:{path}:ro" for path in sorted(paths)]


# --- podman -----------------------------------------------------------------------------


def _install_tools(tools):
    missing = [package for command, package in tools.items() if not shutil.which(command)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ContainerError(f"no {', '.join(missing)}: install the packages of these names")
    print("installing Debian packages:", *missing, flush=True)
    subprocess.run(["apt-get", "-qq", "update"], check=True)
    subprocess.run(
        ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *missing],
        check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
    )  # fmt: skip


def _configure_podman():
    """Settings with which podman works under old control groups and low limits, too."""
    limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper()))[1] for name in ("nofile", "nproc")}
    # podman lowers this one by itself and then could not raise it again.
    limits["nproc"] = 32768 if limits["nproc"] == resource.RLIM_INFINITY else min(limits["nproc"], 32768)
    ulimits = ", ".join(f'"{name}={limit}:{limit}"' for name, limit in limits.items())
    settings = STORE / "containers.conf"
    # runc, as crun refuses to work with hybrid control groups.
    settings.write_text(
        f"[containers]\ndefault_ulimits = [{ulimits}]\n"
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n'
    )
    os.environ["CONTAINERS_CONF"] = str(settings)
