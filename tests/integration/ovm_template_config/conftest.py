# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm-template-config as a guest has it: the built program, run by each Python that a guest might have."""

import json
import subprocess

import pytest

from lab.programs import PYTHONS, Built, python2
from lab.template_scripts import Folder

#: Seconds after which a program counts as hanging.
PATIENCE = 60


class TemplateConfig:
    """The program, and what it works on.

    :ivar Folder folder: its scripts.
    :ivar pathlib.Path log: its log.
    :ivar list command: what starts it.
    """

    def __init__(self, program, place):
        self.folder, self.log = Folder(place / "template.d"), place / "log"
        self.lock = place / "lock"
        # Nothing of this process's own, so that nothing of it helps; and a locale that knows no UTF-8.
        self.environment = {
            "LC_ALL": "C",
            "OVM_TEMPLATE_DIR": str(self.folder.path),
            "OVM_TEMPLATE_LOCK": str(self.lock),
        }
        self.command = [str(program), "--logfile", str(self.log)]

    def __call__(self, *arguments, given=b"", **more):
        """Run it.

        :param given: parameters for its standard input: bytes, or a dict.
        :returns: its exit code, standard output and standard error.
        """
        if isinstance(given, dict):
            given = "".join(json.dumps({key: value}) + "\n" for key, value in given.items()).encode()
        more.setdefault("env", self.environment)
        done = subprocess.run(
            [*self.command, *arguments], input=given, capture_output=True, timeout=PATIENCE, check=False, **more
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def start(self, *arguments, **more):
        """Start it, and do not wait."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def report(self, *arguments, **more):
        """Run it with a report: its exit code, the report, and standard error."""
        code, out, err = self("--report", "1", *arguments, **more)
        return code, json.loads(out), err


@pytest.fixture(scope="session")
def programs():
    """A function from a Python to the program that it runs."""
    with Built("ovm-template-config") as program:
        yield program


@pytest.fixture(params=list(PYTHONS))
def python(request):
    """The path of each Python."""
    return request.param


@pytest.fixture
def run(programs, python, tmp_path):
    """ovm-template-config by each Python, without any script."""
    return TemplateConfig(programs(python), tmp_path)


@pytest.fixture
def one_run(programs, tmp_path):
    """The same by the oldest Python only."""
    return TemplateConfig(programs(next(iter(PYTHONS))), tmp_path)


@pytest.fixture
def old_python():
    """A Python 2, or None."""
    return python2()
