# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove the README: run the commands of its section "Try it" in a bare Debian.

Bare means the packages without which Debian is none (mmdebstrap's minbase). What the README
names comes on top, then its commands run, once as root and once as an ordinary user, on a
clone of the files that git tracks. The container reaches its packages the way this machine
does: its apt and pip settings, certificates and proxies are handed in, whatever they are.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from toolchain import CACHE, ROOT, pip_settings

IMAGE = "localhost/ovm-messaging-fresh"
#: The image and podman's settings.
STORE = CACHE / "fresh"
#: Where a container finds what it is handed.
HANDOVER = "/handover"
#: Certificates that the machine's owner added; Debian's ca-certificates takes them up.
OWN_CERTIFICATES = pathlib.Path("/usr/local/share/ca-certificates")
#: Variables that say how to reach the network.
PASSED_ON = re.compile(r"(https?|ftp|all|no)_proxy|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|GIT_SSL_CAINFO", re.I)


def fail(text):
    sys.exit("make fresh: " + text)


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


@contextlib.contextmanager
def timed(what):
    """Say what is being done, and how long it took."""
    print(f"=== {what}", flush=True)
    start = time.monotonic()
    yield
    print(f"=== {what}: {time.monotonic() - start:.0f} s", flush=True)


# --- what the README says ---------------------------------------------------------------


def readme_commands():
    """The two blocks of commands under "Try it".

    :returns: what prepares the system, what a person then types, and the address cloned from.
    """
    section = (ROOT / "README.md").read_text().partition("\n## Try it\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    address = re.search(r"^git clone (\S+)$", section, re.M)
    if len(blocks) != 2 or not address:
        fail("README.md's section 'Try it' has changed its form: two blocks of commands and a git clone are expected")
    return (*blocks, address.group(1))


# --- what this machine's settings are ---------------------------------------------------


def apt_options():
    """How apt here reaches its mirrors: proxies, time-outs, checks.

    :returns: lines for an apt.conf.
    :rtype: str
    """
    lines = output("apt-config", "dump", "Acquire").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Acquire::IndexTargets"))


def apt_sources(suite):
    """The mirrors of a suite that this machine uses, or none, which means Debian's own.

    :param str suite: Debian's name of the release.
    :returns: lines for a sources.list.
    :rtype: list of str
    """
    targets = output(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    return sorted(
        {
            f"deb {line}"
            for line in targets.splitlines()
            if re.fullmatch(suite + "(-updates|-security)?", line.split()[1])
        }
    )


def mounts(pip):
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


# --- the image --------------------------------------------------------------------------


def install_tools():
    packages = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
    missing = [package for command, package in packages.items() if not shutil.which(command)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        fail(f"no {', '.join(missing)}: install the packages of these names")
    print("installing Debian packages:", *missing, flush=True)
    subprocess.run(["apt-get", "-qq", "update"], check=True)
    subprocess.run(
        ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *missing],
        check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
    )  # fmt: skip


def configure_podman():
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


def podman(*arguments):
    """A podman command line, on a storage of our own."""
    return ["podman", f"--root={STORE}/storage", f"--runroot={STORE}/run", *arguments]


def make_image(suite):
    options, sources = apt_options(), apt_sources(suite)
    key = hashlib.sha256(repr((options, sources)).encode()).hexdigest()[:12]
    archive = STORE / f"{suite}-{key}.tar"
    if not archive.exists():
        with timed(f"making a bare {suite}"):
            (STORE / "apt.conf").write_text(options)
            partial = archive.with_suffix(".partial.tar")
            subprocess.run(
                [
                    "mmdebstrap",
                    "--quiet",
                    "--variant=minbase",
                    f"--aptopt={STORE}/apt.conf",
                    suite,
                    str(partial),
                    *sources,
                ],
                check=True,
            )
            partial.rename(archive)
    subprocess.run(podman("import", "--quiet", str(archive), IMAGE), check=True, stdout=subprocess.DEVNULL)


def make_bundle(path):
    """Put the tracked files, as they are now, into a file that can be cloned from."""
    with tempfile.TemporaryDirectory() as folder:
        tracked = [
            name for name in output("git", "ls-files", "-z", cwd=ROOT).split("\0") if os.path.lexists(ROOT / name)
        ]
        if not any(tracked):
            fail("git tracks no files here")
        for name in filter(None, tracked):
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
        git = ["git", "-C", folder, "-c", "user.name=fresh", "-c", "user.email=fresh@localhost"]
        subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--no-verify", "--message=fresh"], check=True)
        subprocess.run([*git, "bundle", "create", "--quiet", str(path), "HEAD", "main"], check=True)


# --- the proof --------------------------------------------------------------------------

#: Runs as the user who tries it.
TRY = """\
set -eu
cd "$HOME"
before=$(ls -A)
set -x
{commands}
set +x
# What the README promises: nothing is touched but the cache folder.
changed=$(git status --porcelain)
[ -z "$changed" ] || {{ echo "make fresh: the work tree has changed: $changed" >&2; exit 1; }}
cd "$HOME"
[ "$(ls -A)" = "$(printf '%s\\n%s\\n' "$before" {clone} | sed '/^$/d' | sort)" ] ||
    {{ echo "make fresh: there is something new in $HOME:" $(ls -A) >&2; exit 1; }}
"""

#: Runs as root in a container.
PREPARE = """\
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p {certificates}
cp -r {handover}/certificates/. {certificates}
sh -eux {handover}/prerequisites >/var/log/prerequisites 2>&1 || {{ cat /var/log/prerequisites; exit 1; }}
# The README's address stands for the work tree.
git config --system url.{handover}/bundle.insteadOf {address}
case {user} in
root) ;;
*) useradd --create-home {user} ;;
esac
home=$(getent passwd {user} | cut -d: -f6)
exec runuser -u {user} -- env HOME="$home" USER={user} LOGNAME={user} LC_ALL=C.UTF-8 sh {handover}/try
"""


def prove(user):
    """Run it all in a new container.

    :param str user: who types the commands.
    :returns: whether it went well.
    :rtype: bool
    """
    prerequisites, commands, address = readme_commands()
    clone = address.rpartition("/")[2].removesuffix(".git")
    pip = pip_settings.read()
    environment = [f"--env={name}" for name in os.environ if PASSED_ON.fullmatch(name)]
    name = f"ovm-messaging-fresh-{os.getpid()}-{user}"
    with tempfile.TemporaryDirectory() as folder, timed(f"the README as {user}"):
        handover = pathlib.Path(folder)
        handover.chmod(0o755)
        make_bundle(handover / "bundle")
        (handover / "pip.conf").write_text(pip_settings.text(pip))
        (handover / "prerequisites").write_text(prerequisites)
        (handover / "try").write_text(TRY.format(commands=commands, clone=clone))
        if OWN_CERTIFICATES.is_dir():
            shutil.copytree(OWN_CERTIFICATES, handover / "certificates")
        else:
            (handover / "certificates").mkdir()
        script = PREPARE.format(certificates=OWN_CERTIFICATES, handover=HANDOVER, address=address, user=user)
        try:
            done = subprocess.run(
                podman("run", "--rm", "--interactive", "--name", name, "--network=host", *environment)
                + [f"--volume={handover}:{HANDOVER}:ro", f"--volume={handover}/pip.conf:/etc/pip.conf:ro"]
                + [*mounts(pip), IMAGE, "sh", "-c", script],
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        finally:
            subprocess.run(
                podman("rm", "--force", "--ignore", name),
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(prog="make fresh", description=__doc__.splitlines()[0])
    parser.add_argument("user", nargs="*", help="root, or the name of an ordinary user; both if none is given")
    parser.add_argument("--suite", default="bookworm", help="the Debian release to run in (%(default)s)")
    arguments = parser.parse_args()
    users = arguments.user or ["root", "tester"]
    if os.geteuid() != 0:
        fail("podman needs root for this: run it as root, for example by sudo make fresh")
    readme_commands()
    install_tools()
    STORE.mkdir(parents=True, exist_ok=True)
    configure_podman()
    make_image(arguments.suite)
    try:
        failed = [user for user in users if not prove(user)]
    finally:
        subprocess.run(podman("rmi", "--force", IMAGE), check=False, stdout=subprocess.DEVNULL)
    if failed:
        fail("the README's commands failed as " + " and as ".join(failed))


if __name__ == "__main__":
    main()
