# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm-chkconfig as a guest has it: the built program, run by each Python that a guest might have."""

import os
import subprocess

import pytest

from lab.programs import PYTHONS, Built

#: Seconds after which a program counts as hanging.
PATIENCE = 60


class Chkconfig:
    """The program, and the directory that it works on.

    :ivar list command: what starts it.
    :ivar pathlib.Path folder: the directory of scripts and links.
    """

    def __init__(self, program, folder):
        self.command, self.folder = [str(program)], folder
        # Nothing of this process's own, so that nothing of it helps; and a locale that knows no UTF-8.
        self.environment = {"LC_ALL": "C", "OVM_TEMPLATE_DIR": str(folder)}

    def __call__(self, *arguments, prefix=(), **more):
        """Run it.

        :param prefix: a command that starts it.
        :returns: its exit code, standard output and standard error.
        """
        more.setdefault("env", self.environment)
        done = subprocess.run(
            [*prefix, *self.command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
            **more,
        )
        return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()

    def put(self, name, *lines, mode=0o755):
        """Put a script there, with these lines in its header besides its name."""
        path = self.folder / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ["#!/bin/sh", "### BEGIN PLUGIN INFO", "# name: " + name, *("# " + line for line in lines)]
        path.write_text("\n".join([*text, "### END PLUGIN INFO", ""]))
        path.chmod(mode)
        return path

    def links(self):
        """All that is in the folders of the targets: path to where it leads."""
        return {
            path.relative_to(self.folder).as_posix(): os.readlink(path) for path in sorted(self.folder.glob("*.d/*"))
        }


@pytest.fixture(scope="session")
def programs():
    """A function from a Python to the program that it runs."""
    with Built("ovm-chkconfig") as program:
        yield program


@pytest.fixture(params=list(PYTHONS))
def chkconfig(request, programs, tmp_path):
    """ovm-chkconfig by each Python, and two scripts."""
    found = Chkconfig(programs(request.param), tmp_path / "template.d")
    found.put("network", "configure: 50", "cleanup: 40", "description: Network.")
    found.put("firewall", "configure: 41")
    return found


@pytest.fixture
def one_chkconfig(programs, tmp_path):
    """The same by the oldest Python only, and no script."""
    found = Chkconfig(programs(next(iter(PYTHONS))), tmp_path / "template.d")
    (found.folder / "scripts").mkdir(parents=True)
    return found
