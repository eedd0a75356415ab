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
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from toolchain import ROOT, containers

IMAGE = "localhost/ovm-messaging-fresh"


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


# --- what it is tried on ----------------------------------------------------------------


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
{trust}
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


def prove(user, image):
    """Run it all in a new container.

    :param str user: who types the commands.
    :param str image: what the container is made of.
    :returns: whether it went well.
    :rtype: bool
    """
    prerequisites, commands, address = readme_commands()
    clone = address.rpartition("/")[2].removesuffix(".git")
    name = f"ovm-messaging-fresh-{os.getpid()}-{user}"
    with tempfile.TemporaryDirectory() as folder, timed(f"the README as {user}"):
        handover = pathlib.Path(folder)
        handover.chmod(0o755)
        make_bundle(handover / "bundle")
        (handover / "prerequisites").write_text(prerequisites)
        (handover / "try").write_text(TRY.format(commands=commands, clone=clone))
        options = containers.network_options(handover)
        script = PREPARE.format(trust=containers.TRUST, handover=containers.HANDOVER, address=address, user=user)
        try:
            done = subprocess.run(
                containers.podman("run", "--rm", "--interactive", "--name", name, *options, image, "sh", "-c", script),
                stdin=subprocess.DEVNULL,
                check=False,
            )
        finally:
            containers.remove(name)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(prog="make fresh", description=__doc__.splitlines()[0])
    parser.add_argument("user", nargs="*", help="root, or the name of an ordinary user; both if none is given")
    parser.add_argument("--suite", default="bookworm", help="the Debian release to run in (%(default)s)")
    arguments = parser.parse_args()
    users = arguments.user or ["root", "tester"]
    readme_commands()
    try:
        containers.prepare()
    except containers.ContainerError as problem:
        fail(str(problem))
    image = containers.make_image(IMAGE, arguments.suite)
    failed = [user for user in users if not prove(user, image)]
    if failed:
        fail("the README's commands failed as " + " and as ".join(failed))


if __name__ == "__main__":
    main()
