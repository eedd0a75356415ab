# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of scripts for ovm-template-config, as a guest has them in /etc/template.d."""

import os
import pathlib
import sys

from .programs import PYTHONS, python2

#: Scripts as they are in the field; their first lines name what a guest has.
FIELD_SCRIPTS = pathlib.Path(__file__).with_name("field_scripts")
#: What scripts import, in a checkout.
LIBRARY = str(pathlib.Path(__file__).resolve().parents[2] / "programs" / "ovm-template-config" / "lib")

_SCRIPT = """\
#!{python}
### BEGIN PLUGIN INFO
# name: {name}
# configure: 50
# description: A script of a test.
### END PLUGIN INFO
import json, os, signal, subprocess, sys, time
from templateconfig import common
from templateconfig.cli import main
from templateconfig.common import *
from templateconfig.common import changed, checking, run_cmd, shell_cmd

def describe(target):
    return json.dumps({described})

def function(text):
    parameters = json.loads(text)
{body}
    return json.dumps(parameters)

main(describe, {{{targets}}}, check={check})
"""


def pythons():
    """The Pythons that scripts are tried with: this one, all that programs are tried with, and a Python 2.

    :rtype: dict of name to path
    """
    found = dict(PYTHONS, this=sys.executable)
    old = python2()
    if old:
        found["python2.7"] = old
    return found


def coverage_environment():
    """What of this process's environment has scripts measured, when tests are."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}


class Folder:
    """A folder of scripts and links.

    :ivar pathlib.Path path: the folder.
    """

    def __init__(self, path, python=sys.executable):
        self.path, self._python = pathlib.Path(path), python
        (self.path / "scripts").mkdir(parents=True)

    def add(self, name, *lines, priority=50, described=(), targets=("configure",), check=False, python=None):
        """Add a script out of its function's lines, which may use ``parameters``, and enable it.

        :param described: its parameter objects.
        :returns: its path.
        """
        text = _SCRIPT.format(
            python=python or self._python,
            name=name,
            described=repr(list(described)),
            body="\n".join("    " + line for line in lines),
            targets=", ".join("'%s': function" % target for target in targets),
            check=check,
        )
        return self.put(name, text, priority, targets)

    def put(self, name, text, priority=50, targets=("configure",), mode=0o755):
        """Add a script as it is, and enable it.

        :returns: its path.
        """
        path = self.path / "scripts" / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        for target in targets:
            (self.path / (target + ".d")).mkdir(exist_ok=True)
            (self.path / (target + ".d") / ("%02d%s" % (priority, name))).symlink_to("../scripts/" + name)
        return str(path)

    def put_field_script(self, name, python=None, priority=50, targets=("configure",)):
        """Add a script of the field, unchanged but for its first line where ``python`` is given."""
        text = (FIELD_SCRIPTS / name).read_text(encoding="utf-8")
        if python:
            text = "#!" + python + text[text.index("\n") :]
        return self.put(name, text, priority, targets)
