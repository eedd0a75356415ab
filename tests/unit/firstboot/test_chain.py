# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts one after the other: what each gets, and what a failing one does to the others."""

import os

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.chain import Chain
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadParameters
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.log import Log
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import Runner
from lab.template_scripts import LIBRARY, Folder, coverage_environment


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "template.d")


@pytest.fixture
def log(tmp_path):
    return lambda: (tmp_path / "log").read_text(encoding="utf-8")


@pytest.fixture
def chain(tmp_path):
    def chain(*paths):
        log = Log(str(tmp_path / "log"), format="%(levelname)s %(name)s: %(message)s")
        scripts = [(number * 10, os.path.basename(path), path) for number, path in enumerate(paths, 1)]
        return Chain(scripts, Runner(LIBRARY, 60.0, log, coverage_environment()))

    return chain


def statuses(result):
    return [(script.priority, script.name, script.status) for script in result.scripts]


def test_each_gets_what_the_one_before_returned(folder, chain, log):
    lines = ["parameters['seen'] = parameters.get('seen', '') + sys.argv[0][-1:]", "changed(False)"]
    made = chain(
        folder.add("a", *lines), folder.add("b", *lines), folder.add("c", "del parameters['k']", "changed(False)")
    )
    told = []
    given = {"k": "v"}
    result = made.run("configure", given, started=told.append, finished=told.append)
    assert result.parameters == {"seen": "ab"} and result.target == "configure" and given == {"k": "v"}
    assert statuses(result) == [(10, "a", "ok"), (20, "b", "ok"), (30, "c", "ok")]
    assert not result.changed and not result.failed
    assert told == ["a", result.scripts[0], "b", result.scripts[1], "c", result.scripts[2]]
    assert "INFO ovm-template-config: target configure: 3 scripts, 1 parameters" in log()
    assert log().endswith("INFO ovm-template-config: target configure: done\n")


def test_a_failing_script_drops_out_and_the_others_run(folder, chain, log):
    result = chain(
        folder.add("a", "parameters['a'] = '1'"),
        folder.add("b", "parameters['b'] = '2'", "sys.exit('bad')"),
        folder.put("c", "#!/no/such/python2\n"),
        folder.add("d", "parameters['d'] = '4'"),
    ).run("configure", {"k": "v"})
    assert result.parameters == {"k": "v", "a": "1", "d": "4"}
    assert [script.status for script in result.scripts] == ["ok", "failed", "failed", "ok"]
    assert [script.name for script in result.failed] == ["b", "c"] and result.changed
    assert result.scripts[1].message == "it called exit(bad)" and "/no/such/python2" in result.scripts[2].message
    assert log().endswith("ERROR ovm-template-config: target configure: failed: b, c\n")


def test_what_is_required_of_any_is_checked_before_the_first_runs(folder, chain, tmp_path):
    note = tmp_path / "note"
    made = chain(
        folder.add("a", "open('%s', 'w')" % note, described=[{"key": "x.a", "required": True}]),
        folder.add("b", described=[{"key": "x.b", "required": True}, {"key": "x.c", "required": True}]),
    )
    with pytest.raises(BadParameters, match="^required parameters are missing: x.a, x.c: .* nothing was run$"):
        made.run("configure", {"x.b": "1"})
    assert not note.exists()
    assert not made.run("configure", {"x.a": "1", "x.b": "2", "x.c": "3"}).failed and note.exists()


def test_descriptions_can_be_asked_for_ahead(folder, chain, tmp_path):
    made = chain(folder.add("a", described=[{"key": "x.a"}]), folder.add("b"))
    described = made.describe("configure")
    (priority, name, parameters), second = described
    assert (priority, name, [p.key for p in parameters], second.parameters) == (10, "a", ["x.a"], [])
    assert not described[0].problem
    (folder.path / "scripts" / "a").write_text("#!/bin/sh\n")  # asked again it would not tell
    required = made.describe("configure")
    assert required[0].problem.startswith("the script 'a' does not describe its parameters: it returned nothing")
    with pytest.raises(BadParameters):
        described[0].parameters[0].required = True
        made.run("configure", {}, described=described)


def test_more_scripts_than_are_asked_at_once(folder, chain):
    paths = [folder.add("s%02d" % number, described=[{"key": "k%d" % number}]) for number in range(10)]
    assert [one.parameters[0].key for one in chain(*paths).describe("configure")] == ["k%d" % n for n in range(10)]


def test_secrets_of_one_script_are_secrets_of_all(folder, chain, log):
    def given(**more):
        return dict({"x.pin": "secret-one", "x.other": "secret-two", "x.open": "shown"}, **more)

    shows = folder.add("a", "print(sorted(parameters.values()))", "print('made-up secret'[:7])")
    knows = folder.add("b", described=[{"key": "x.pin", "password": True}])
    chain(shows, knows).run("configure", given(), secret_keys=["x.other"])
    assert (
        "secret-one" not in log() and "secret-two" not in log() and "INFO a: ['********', '********', 'shown']" in log()
    )


def test_a_secret_that_a_script_makes_up_is_one_from_then_on(folder, chain, log):
    makes = folder.add("a", "parameters['x.password.0'] = 'made-up-secret'")
    shows = folder.add("b", "print(parameters)")
    result = chain(makes, shows).run("configure", {})
    assert result.parameters == {"x.password.0": "made-up-secret"} and "made-up" not in log()


def test_where_a_script_does_not_describe_itself_all_but_the_known_is_secret(folder, chain, log):
    text = "#!%s\nimport json, sys\nfrom templateconfig.cli import main\n" % folder._python
    text += "def f(text):\n    print(text)\n    return text\nmain(lambda target: undefined, {'configure': f})\n"
    known = folder.add("b", described=[{"key": "x.open"}])
    result = chain(folder.put("a", text), known).run("configure", {"x.open": "shown", "x.unknown": "maybe-secret"})
    assert not result.failed
    assert "maybe-secret" not in log() and "shown" in log()
    assert "WARNING a: the script 'a' does not describe its parameters: NameError: name 'undefined'" in log()


def test_check_mode(folder, chain, tmp_path):
    note = tmp_path / "note"
    knows = folder.add("a", "changed(False)", check=True)
    knows_not = folder.add("b", "open('%s', 'w')" % note)
    result = chain(knows).run("configure", {}, check=True)
    assert statuses(result) == [(10, "a", "ok")] and not result.changed
    result = chain(knows, knows_not).run("configure", {"k": "v"}, check=True)
    assert statuses(result)[1] == (20, "b", "skipped") and result.changed and result.parameters == {"k": "v"}
    assert not note.exists() and not result.failed


def test_no_scripts_at_all(chain):
    result = chain().run("suspend", {"k": "v"})
    assert result.parameters == {"k": "v"} and result.scripts == [] and not result.changed
