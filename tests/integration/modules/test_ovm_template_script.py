# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_template_script, run by ansible-playbook on folders of this machine."""

import json
import os
import pathlib
import stat
import subprocess

import pytest
import yaml

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import Scripts
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS
from ansible_collections.ovm.messaging.programs import build
from lab.programs import PYTHONS

MODULE = pathlib.Path(build.ROOT, "plugins/modules/ovm_template_script.py")


def script(name, **targets):
    lines = ["#!/usr/bin/python3", "### BEGIN PLUGIN INFO", "# name: " + name, "# description: Says hello."]
    lines += ["# %s: %d" % pair for pair in targets.items()]
    return "\n".join(lines + ["### END PLUGIN INFO", ""])


HELLO = script("hello", configure=60, cleanup=10)


@pytest.fixture
def folder(tmp_path):
    """The directory of scripts and links, which is not there yet."""
    return tmp_path / "etc/template.d"


@pytest.fixture
def task(folder):
    """A function that makes a task out of the module's options."""

    def make(check=False, diff=True, **options):
        return {"ovm_template_script": dict(options, template_dir=str(folder)), "check_mode": check, "diff": diff}

    return make


@pytest.fixture
def play(local_play, task):
    """Runs tasks; each first in check mode, which must foresee what comes, and once more, which must change nothing."""

    def run(*tasks):
        three = [dict(each, check_mode=check) for each in tasks for check in (True, False, False)]
        results = local_play(*three)
        found = []
        for check, first, second in zip(results[::3], results[1::3], results[2::3]):
            for name in ("changed", "failed", "msg", "name", "path", "targets", "header", "scripts", "diff"):
                assert check.get(name) == first.get(name), (name, check, first)
            assert not first["failed"], first
            assert not second["changed"] and second["diff"] == []
            for once, again in zip(first.get("scripts", [first]), second.get("scripts", [second])):
                assert not again["changed"] and again["targets"] == once["targets"]
            found.append(first)
        return found if len(found) > 1 else found[0]

    run.output = lambda: local_play.output
    return run


def of(**priorities):
    return {target: priorities.get(target) for target in TARGETS}


def state(folder):
    """All files and links: path to mode and content, or to where it leads."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else (stat.S_IMODE(path.stat().st_mode), path.read_text())
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def test_the_life_of_a_script(play, task, folder):
    """Installed on a machine that has nothing, changed, switched, removed."""
    newer = script("hello", configure=60, cleanup=10, shutdown=5)
    installed, other, targets, priorities, off, on, removed = play(
        task(name="hello", content=HELLO),
        task(name="hello", content=newer),
        task(name="hello", targets=["shutdown", "configure"]),
        task(name="hello", targets={"configure": 99, "cleanup": None}),
        task(name="hello", enabled=False, targets=["configure"]),
        task(name="hello", content=newer, targets={"cleanup": "07"}),
        task(name="hello", state="absent"),
    )
    path = str(folder / "scripts/hello")
    assert all(result["changed"] and result["path"] == path and result["name"] == "hello" for result in
               (installed, other, targets, priorities, off, on, removed))  # fmt: skip
    assert installed["targets"] == of(configure=60, cleanup=10)
    assert installed["header"] == {
        "name": "hello", "description": "Says hello.", "targets": {"configure": 60, "cleanup": 10}
    }  # fmt: skip
    assert other["targets"] == of(configure=60, cleanup=10, shutdown=5)
    assert targets["targets"] == of(configure=60, shutdown=5)
    assert priorities["targets"] == of(configure=99, cleanup=10)
    assert off["targets"] == of() and off["header"]["targets"] == other["header"]["targets"]
    assert on["targets"] == of(cleanup=7)
    assert removed["targets"] == of() and "header" not in removed
    assert state(folder) == {}
    # What is shown is the script and its targets, before and after.
    content, links = installed["diff"]
    assert (content["before_header"], content["before"], content["after"]) == (path, "", HELLO)
    assert (links["before"], links["after"]) == ("", "configure: 60\ncleanup: 10\n")
    assert [part["after"] for part in other["diff"]] == [newer, "configure: 60\ncleanup: 10\nshutdown: 5\n"]
    assert targets["diff"] == [
        {
            "before_header": "targets of hello", "after_header": "targets of hello",
            "before": "configure: 60\ncleanup: 10\nshutdown: 5\n", "after": "configure: 60\nshutdown: 5\n",
        }
    ]  # fmt: skip
    assert [(part["before"], part["after"]) for part in removed["diff"]] == [(newer, ""), ("cleanup: 7\n", "")]


def test_several_at_once(play, task, folder, tmp_path):
    """Each as it would be alone, with what is known of it alone."""
    scripts = Scripts(directory=str(folder))
    scripts.install("packaged", script("packaged", shutdown=3).encode())
    scripts.install("old", script("old", configure=1).encode())
    scripts.add("old")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/here").write_text(script("here", resume=5))
    (tmp_path / "there").write_text(script("there", suspend=6, migrate=7))
    found = play(
        task(
            scripts=[
                dict(name="old", state="absent"),
                dict(name="hello", content=HELLO, targets={"configure": 70}),
                dict(name="here", src="here", enabled=False),
                dict(name="there", src=str(tmp_path / "there"), remote_src=True),
                dict(name="packaged"),
                dict(name="never", state="absent"),
            ]
        )
    )
    assert found["changed"] and not {"name", "path", "targets", "header"} & set(found)
    assert [(each["name"], each["changed"], each["targets"]) for each in found["scripts"]] == [
        ("old", True, of()),
        ("hello", True, of(configure=70)),
        ("here", True, of()),
        ("there", True, of(suspend=6, migrate=7)),
        ("packaged", True, of(shutdown=3)),
        ("never", False, of()),
    ]
    assert found["scripts"][1]["path"] == str(folder / "scripts/hello") and "header" not in found["scripts"][0]
    assert [part["before_header"].split("/")[-1] for part in found["diff"]] == [
        "old", "targets of old", "hello", "targets of hello", "here", "there", "targets of there", "targets of packaged"
    ]  # fmt: skip
    assert sorted(state(folder)) == [
        "configure.d/70hello", "migrate.d/07there", "scripts/hello", "scripts/here", "scripts/packaged",
        "scripts/there", "shutdown.d/03packaged", "suspend.d/06there",
    ]  # fmt: skip
    assert (folder / "scripts/here").read_bytes() == (tmp_path / "files/here").read_bytes()


def test_of_several_none_is_touched_if_one_is_wrong(local_play, task, folder):
    scripts = Scripts(directory=str(folder))
    scripts.install("old", script("old", configure=1).encode())
    before = state(folder)
    good = [dict(name="old", state="absent"), dict(name="hello", content=HELLO)]
    wrong = {
        "there is no script 'missing'": [*good, dict(name="missing")],
        "the script 'hello' is given 2 times: give it once": [*good, dict(name="hello", state="absent")],
        "the script 'other' does not say what runs it": [*good, dict(name="other", content="x")],
        "src cannot be read: Could not find or access 'nowhere'": [*good, dict(name="other", src="nowhere")],
        "parameters are mutually exclusive: src|content found in scripts": [dict(name="a", content="x", src="y")],
        "missing required arguments: name found in scripts": [dict(content="x")],
        "Unsupported parameters for (ovm.messaging.ovm_template_script) module: scripts.nmae": [dict(name="a", nmae=1)],
        "dictionary requested": ["hello"],
    }
    tasks = [task(check=check, scripts=scripts) for check in (True, False) for scripts in wrong.values()]
    tasks += [task(scripts=good, name="hello"), task(state="absent")]
    expected = [*wrong, *wrong, "parameters are mutually exclusive: name|scripts", "one of the following is required: "]
    for said, result in zip(expected, local_play(*tasks)):
        assert result["failed"] and said in result["msg"], (said, result)
        assert not result["changed"] and "Traceback" not in json.dumps(result)
    assert state(folder) == before


def test_what_is_left_behind_is_what_ovm_chkconfig_makes(local_play, task, folder):
    result = local_play(task(name="hello", content=HELLO))
    assert result["changed"]
    assert state(folder) == {
        "scripts/hello": (0o755, HELLO),
        "configure.d/60hello": "../scripts/hello",
        "cleanup.d/10hello": "../scripts/hello",
    }
    there = (folder / "scripts/hello").stat()
    assert (there.st_uid, there.st_gid) == (os.geteuid(), os.getegid())
    assert not Scripts(directory=str(folder)).add("hello")


def test_in_check_mode_nothing_happens(local_play, task, folder):
    assert local_play(task(name="hello", content=HELLO, check=True))["changed"]
    assert not folder.exists()
    local_play(task(name="hello", content=HELLO))
    before = state(folder)
    found = local_play(
        task(name="hello", content=HELLO + "# more\n", targets={"configure": 1}, check=True),
        task(name="hello", state="absent", check=True),
        task(name="other", state="absent", check=True),
    )
    assert [result["changed"] for result in found] == [True, True, False]
    assert state(folder) == before


def test_a_script_comes_from_the_folder_files_from_anywhere_and_from_the_target(play, task, folder, tmp_path):
    (tmp_path / "files").mkdir()
    for name in ("one", "two", "three"):
        (tmp_path / "files" / name).write_bytes(script(name, resume=5).encode() + b"# \xff\r\n")
    found = play(
        task(name="one", src="one"),
        task(name="two", src=str(tmp_path / "files/two")),
        task(name="three", src=str(tmp_path / "files/three"), remote_src=True),
    )
    assert all(result["changed"] and result["targets"] == of(resume=5) for result in found)
    for name in ("one", "two", "three"):
        assert (folder / "scripts" / name).read_bytes() == (tmp_path / "files" / name).read_bytes()
    assert found[0]["diff"][0]["after"].endswith("# \\xff\r\n")


def test_a_script_may_be_in_a_vault(local_play, task, folder, tmp_path):
    (tmp_path / "password").write_text("example only")
    (tmp_path / "hello").write_text(HELLO)
    vault = ["--vault-password-file", str(tmp_path / "password")]
    subprocess.run(["ansible-vault", "encrypt", *vault, str(tmp_path / "hello")], check=True, capture_output=True)
    assert "Says hello" not in (tmp_path / "hello").read_text()
    assert local_play(task(name="hello", src=str(tmp_path / "hello")), arguments=vault)["changed"]
    assert (folder / "scripts/hello").read_text() == HELLO


def test_links_and_mode_are_put_right_and_others_left_alone(play, task, folder):
    scripts = Scripts(directory=str(folder))
    scripts.install("hello", HELLO.encode())
    scripts.install("other", script("other", configure=1).encode())
    scripts.add("other")
    scripts.set("hello", ["configure"], True, 7)
    (folder / "resume.d").mkdir()
    (folder / "resume.d/10hello").symlink_to("../scripts/hello")
    (folder / "scripts/hello").chmod(0o600)
    result = play(task(name="hello", content=HELLO))
    assert result["changed"] and result["targets"] == of(configure=60, cleanup=10)
    assert [(part["before"], part["after"]) for part in result["diff"]] == [
        ("configure: 7\nresume: 10\n", "configure: 60\ncleanup: 10\n")
    ]
    assert os.access(folder / "scripts/hello", os.X_OK) and not os.path.lexists(folder / "resume.d/10hello")
    assert scripts.enabled("other") == {"configure": 1}


def test_a_script_that_a_package_brought_is_only_switched(play, task, folder):
    scripts = Scripts(directory=str(folder))
    scripts.install("hello", HELLO.encode())
    on, off = play(task(name="hello"), task(name="hello", enabled=False))
    assert on["changed"] and on["targets"] == of(configure=60, cleanup=10)
    assert off["changed"] and off["targets"] == of() and scripts.names() == ["hello"]


def test_another_systems_files(local_play, tmp_path):
    image = tmp_path / "image"
    (image / "opt/template").mkdir(parents=True)
    (image / "etc").mkdir()
    (image / "etc/template.d").symlink_to("/opt/template")
    options = {"name": "hello", "content": HELLO, "root": str(image)}
    first, second = local_play({"ovm_template_script": options}, {"ovm_template_script": options})
    assert first["changed"] and not second["changed"]
    assert first["path"] == str(image / "opt/template/scripts/hello")
    assert os.readlink(image / "opt/template/configure.d/60hello") == "../scripts/hello"


def test_targets_as_on_the_command_line(play, task, folder):
    Scripts(directory=str(folder)).install("hello", HELLO.encode())
    one, two, none = play(
        task(name="hello", targets="cleanup, configure"),
        task(name="hello", targets='{"cleanup": 3}'),
        task(name="hello", targets=[]),
    )
    assert (one["targets"], two["targets"]) == (of(cleanup=10, configure=60), of(cleanup=3))
    assert none["targets"] == of()


def test_what_is_wrong_is_told_in_check_mode_too_and_nothing_changes(local_play, task, folder, tmp_path):
    scripts = Scripts(directory=str(folder))
    scripts.install("hello", HELLO.encode())
    scripts.add("hello")
    (folder / "scripts/plain").write_text(script("plain", configure=1))
    before = state(folder)
    wrong = {
        "does not say what runs it: begin it with a line such as": dict(content="import os\n"),
        "has no header: add one among its first comments": dict(content="#!/bin/sh\n"),
        "the header of the script 'hello' has the name 'other'": dict(content=script("other", configure=1)),
        "line 5 of the script 'hello' gives no usable priority": dict(content=script("hello", configure=100)),
        "there is no target 'boot': use one of configure, ": dict(targets=["boot"]),
        "the script 'hello' does not support resume: by its header": dict(targets={"resume": 5}),
        "the priority of configure is no number from 0 to 99": dict(targets={"configure": 100}),
        "the priority of cleanup is no number": dict(targets={"cleanup": True}),
        "targets is neither a list nor a dict": dict(targets=[{"configure": 5}]),
        "targets is neither": dict(targets=7),
        "there is no script 'missing'": dict(name="missing"),
        "plain is not executable": dict(name="plain"),
        "'../hello' cannot be a script's name": dict(name="../hello", content=HELLO),
        "parameters are mutually exclusive: src|content": dict(content=HELLO, src="x"),
        "src cannot be read: Could not find or access 'nowhere'": dict(src="nowhere"),
        "src /nowhere cannot be read (No such file or directory)": dict(src="/nowhere", remote_src=True),
        "content is no text: write it as a block": dict(content={"a": 1}),
    }
    tasks = [dict({"name": "hello"}, **options) for options in wrong.values()]
    found = local_play(*(task(check=check, **options) for check in (True, False) for options in tasks))
    for said, result in zip(list(wrong) * 2, found):
        assert result["failed"] and said in result["msg"], (said, result)
        assert not result["changed"] and "Traceback" not in json.dumps(result)
    assert state(folder) == before


def test_a_script_given_inline_is_in_no_log_of_the_target(local_play, task):
    seen = {"ANSIBLE_INJECT_INVOCATION": "true"}
    assert local_play(task(name="hello", content=HELLO, diff=False), arguments=["-vvv"], environment=seen)["changed"]
    assert '"content": null' in local_play.output  # as the module was called
    assert "BEGIN PLUGIN INFO" not in local_play.output
    several = [{"name": "hello", "content": HELLO + "# more\n"}]
    assert local_play(task(scripts=several, diff=False), arguments=["-vvv"], environment=seen)["changed"]
    assert '"content": null' in local_play.output
    assert "BEGIN PLUGIN INFO" not in local_play.output


def test_a_long_script_is_not_shown(play, task, folder):
    result = play(task(name="hello", content=HELLO + "#" * 200000))
    assert result["diff"][0]["src_larger"] == 104448 and "after" not in result["diff"][0]


def test_the_old_python_of_a_guest_runs_it(local_play, task, folder):
    """All that there are here; ansible-core of the tests may want a newer one, so the module runs alone."""
    code = (
        "import sys, types; "
        "package = types.ModuleType('ansible.module_utils.basic'); package.env_fallback = None; "
        "sys.modules.update(dict.fromkeys(['ansible', 'ansible.module_utils', package.__name__], package)); "
        "from ansible_collections.ovm.messaging.plugins.module_utils import template_script_module as glue; "
        "module = types.SimpleNamespace(check_mode=False, _diff=True, selinux_enabled=lambda: False, "
        "params=dict(name='hello', state='present', src=None, content=%r, enabled=True, targets={'configure': 5}, "
        "scripts=None, template_dir=%r, root='/', _contents=None)); "
        "module.exit_json = lambda **result: print(result['changed'], result['targets']['configure']); "
        "glue.run(module); glue.run(module); module.params['state'] = 'absent'; glue.run(module)"
    ) % (HELLO, str(folder))
    for python in PYTHONS.values():
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("True 5\nFalse 5\nTrue None\n", ""), python


def test_every_example_of_the_documentation_runs(local_play, folder):
    """In their order, from installing to removing, and several."""
    text = MODULE.read_text()
    examples = yaml.safe_load(text.split('EXAMPLES = r"""\n', 1)[1].split('"""', 1)[0])
    tasks = [
        {"ovm_template_script": dict(example["ovm.messaging.ovm_template_script"], template_dir=str(folder))}
        for example in examples
    ]
    installed, late, off, removed, several = local_play(*tasks)
    assert installed["targets"] == of(configure=95, cleanup=5) and late["targets"] == of(configure=99)
    assert off["targets"] == of() and removed["changed"]
    assert [each["changed"] for each in several["scripts"]] == [True, False]
    assert all(result["changed"] for result in (installed, late, off, removed, several))
    assert sorted(state(folder)) == ["resume.d/50greeting", "scripts/greeting"]
