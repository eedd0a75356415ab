# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test, with the arguments given, on a copy of the tree and in a home of its own.

A copy, since ansible-test insists on a real path that ends in ansible_collections/ovm/messaging.
A home, since it fills ~/.ansible with virtual environments, and takes pip's bootstrap script
from there if one is found, rather than from a site that not everybody can reach.
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys

import ansible_test

from toolchain import CACHE, ROOT, pip_settings

#: What ansible-test runs to put pip into a virtual environment: the wheel that it asks for
#: installs itself.
STAND_IN = """\
import sys

sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--quiet", "--ignore-installed"] + arguments))
"""


def copy_tree(name):
    """Copy the files that git has or would add.

    :param str name: of the copy, so that what runs side by side has its own each.
    :returns: the copy.
    :rtype: pathlib.Path
    """
    tree = CACHE / "ansible-test" / name / "ansible_collections" / "ovm" / "messaging"
    shutil.rmtree(tree, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listing.split("\0")):
        if os.path.lexists(ROOT / name):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    # ansible-test asks git which files are ignored.
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    # Tests find what the lab is made of in the cache, as in a clone. A link is no folder to .gitignore.
    (tree / ".cache").symlink_to(CACHE)
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "exclude").write_text("/.cache\n")
    subprocess.run(["git", "add", "--all"], cwd=tree, check=True)
    return tree


def claim(name):
    """Wait until nobody else runs ansible-test on that copy; it is this process's then, and that of what replaces it.

    :param str name: of the copy.
    """
    (CACHE / "ansible-test").mkdir(exist_ok=True)
    lock = os.open(CACHE / "ansible-test" / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"toolchain.ansible_test: waiting for another ansible-test {name}", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)


def make_home():
    """Make the home that ansible-test sees; what it made there before stays, for speed.

    :rtype: pathlib.Path
    """
    home = CACHE / "home"
    settings = home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    # ansible-test hands no environment on to pip. An index may carry a password.
    settings.touch(mode=0o600)
    pip = pip_settings.read()
    if not pip.has_section("global"):
        pip.add_section("global")
    # Between two lines of ansible-test's, only errors matter.
    pip.set("global", "quiet", "2")
    settings.write_text(pip_settings.text(pip))
    scripts = home / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    source = pathlib.Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text()
    versions = set(re.findall(r"\bpip='([0-9.]+)'", source))
    if not versions:
        sys.exit("toolchain.ansible_test: this ansible-test does not say which pip it wants")
    for version in versions:
        wheel = scripts / f"pip-{version}-py3-none-any.whl"
        if not wheel.exists():
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
                + ["--dest", str(scripts), f"pip=={version}"],
                check=True, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        (scripts / f"get_pip_{version.replace('.', '_')}.py").write_text(STAND_IN.format(wheel=str(wheel)))
    return home


def environment(home):
    """The environment, with all that could mislead ansible-test taken out.

    :rtype: dict
    """
    result = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ANSIBLE_") and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    result["HOME"] = str(home)
    # Shims of version managers exist for Pythons that they then refuse to run, and
    # ansible-test gives up on those. tests/bootstrap has collected the ones that run.
    result["PATH"] = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("/shims")
    )
    return result


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "help"
    claim(name)
    home = make_home()
    os.chdir(copy_tree(name))
    os.execvpe("ansible-test", ["ansible-test", *sys.argv[1:]], environment(home))


if __name__ == "__main__":
    main()
