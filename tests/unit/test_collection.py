# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own files agree with each other."""

import re

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from toolchain import ROOT

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


#: Modules in no action group, and why. A group's defaults would be options that these do not have.
UNGROUPED = {
    "ovm_program": "makes a file of a program, on guests, controllers and Xen hosts alike; it reaches no XenStore",
    "ovm_template_script": "works on files and links of a template; it reaches no XenStore",
}


def test_every_module_is_in_an_action_group_or_there_is_a_reason():
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted([*grouped, *UNGROUPED]) == MODULES  # each once
    for group, names in GROUPS.items():
        line = "  - ovm.messaging.attributes.actiongroup_%s\n" % group
        assert [name for name in names if line not in (MODULE_FOLDER / (name + ".py")).read_text()] == []


def versions_added():
    """Each "version_added" of plugins and roles, with where it stands."""
    sources = [path for path in sorted(ROOT.glob("plugins/*/*.py")) if "module_utils" not in path.parts]
    for path in [*sources, *sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))]:
        for version in re.findall(r"^ *version_added: *[\"']?([^\"'\n]*)", path.read_text(), re.MULTILINE):
            yield str(path.relative_to(ROOT)), version


def test_what_was_added_was_so_in_a_release_that_there_is():
    released = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    known = {VERSION, *released}
    added = list(versions_added())
    assert len(added) > 10
    assert [place for place in added if place[1] not in known] == []


def requirements(path):
    """The lines of a list of requirements, without comments and other lists."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return {line for line in lines if line and not line.startswith(("#", "-"))}


@pytest.mark.parametrize("part", ["unit", "integration"])
def test_ansible_test_installs_what_the_toolchain_has(part):
    homes = [ROOT / "tests" / "requirements.txt", *ROOT.glob("programs/*/requirements.txt")]
    assert requirements(ROOT / "tests" / part / "requirements.txt") <= set().union(*map(requirements, homes))


def test_the_public_ci_runs_targets_that_there_are_and_all_that_a_submission_must_pass():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    checks = set(jobs["check"]["strategy"]["matrix"]["target"])
    nightly = {entry["target"] for entry in jobs["nightly"]["strategy"]["matrix"]["include"]}
    wanted = set(re.search(r"^for target in (.*); do$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[1].split())
    assert wanted <= checks <= targets
    assert nightly <= targets


def test_before_a_commit_run_checks_that_there_are():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    named = [hook["entry"].split(" toolchain.lint ")[1].split() for hook in hooks if "toolchain.lint" in hook["entry"]]
    checks = (ROOT / "tests" / "toolchain" / "lint.py").read_text()
    assert named
    assert [name for names in named for name in names if '"%s": "' % name not in checks] == []
