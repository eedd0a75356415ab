# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own files agree with each other."""

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from toolchain import ROOT, headers

GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
MODULE_FOLDER = ROOT / "plugins" / "modules"
MODULES = sorted(path.stem for path in MODULE_FOLDER.glob("*.py"))


def test_galaxy_and_the_code_name_the_same_version():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == VERSION


@pytest.mark.parametrize("group", GROUPS)
def test_modules_that_share_options_are_one_action_group(group):
    sharing = [
        name for name in MODULES if "  - ovm.messaging.%s\n" % group in (MODULE_FOLDER / (name + ".py")).read_text()
    ]
    assert sorted(GROUPS[group]) == sharing


def test_every_file_says_its_licence():
    assert list(headers.licence_faults()) == []


def test_vendored_files_are_upstreams():
    assert list(headers.vendored_faults()) == []
