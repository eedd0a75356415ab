# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of guests and managers that mean harm, used by a real playbook of every supported ansible-core.

Each line of ansible-core is installed as ``make matrix`` does it, and stays in the cache.
"""

import json
import os
import pathlib
import time

import pytest

from lab.daemon import Daemon
from lab.gateway import Gateway
from lab.programs import PYTHONS
from tests.integration.hostile import scene
from toolchain import CACHE, matrix, matrix_run
from toolchain.matrix_lines import LINES

FIGURES = CACHE / "fuzz" / "ansible"


@pytest.fixture
def xenstored(lab_parts):
    with Daemon("c") as daemon:
        yield daemon


@pytest.fixture
def gateway(xenstored):
    with Gateway(xenstored) as running:
        yield running


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("line", LINES, ids=[line.core for line in LINES])
def test_nothing_that_comes_from_outside_is_anything_but_text(line, xenstored, gateway, host, tmp_path):
    here = {name[len("python") :]: path for name, path in PYTHONS.items()}
    here = {version: path for version, path in here.items() if matrix.can_make_environments(path)}
    controller = matrix.choose_controller(line, here)
    if controller is None:
        pytest.fail("ansible-core %s runs on Python %s: install one" % (line.core, " or ".join(line.controllers)))
    core = matrix_run.Core(line, matrix.target(controller, here[controller]), pathlib.Path(CACHE, "collections"))
    trace = tmp_path / "trace"
    trace.mkdir()
    environment = dict(core.environment(tmp_path), PYTHONPATH="", VIRTUAL_ENV="")
    del environment["ANSIBLE_CALLBACKS_ENABLED"]  # the matrix's own
    began = time.monotonic()
    scene.play([str(core.home / "bin" / "ansible-playbook")], environment, xenstored, gateway, host, trace, tmp_path)
    FIGURES.mkdir(parents=True, exist_ok=True)
    found = {"core": core.version, "traps": len(scene.traps(trace)), "seconds": round(time.monotonic() - began, 1)}
    (FIGURES / ("core-%s.json" % line.core)).write_text(json.dumps(found) + os.linesep)
    print("\n%s" % found)
