# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of scripts, by every Python that a script may be of."""

import json
import os
import subprocess

import pytest

from lab.template_scripts import LIBRARY, Folder, pythons

PYTHONS = pythons()
SECRET = "hunter2-\u00fc"
PASSWORD = {"key": "x.pin", "password": True}


@pytest.fixture(params=list(PYTHONS))
def folder(request, tmp_path):
    return Folder(tmp_path / "template.d", PYTHONS[request.param])


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    # The locale that knows least, as first boot may have it.
    return dict(kept, PATH=os.environ["PATH"], PYTHONPATH=LIBRARY, LC_ALL="C", **more)


def by_hand(script, *arguments, given=b"", **more):
    """Run a script as a person does: exit code, standard output, standard error."""
    done = subprocess.run(
        [script, *arguments], input=given, capture_output=True, env=environment(**more), timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "surrogateescape")


def by_program(script, *arguments, given="{}"):
    """Run a script as ovm-template-config does.

    :returns: its exit code, its answer, what it told of its run, and what it printed.
    """
    ends = [os.pipe() for _each in range(3)]
    (source, feed), (answers, answer), (tellings, told) = ends
    os.write(feed, given.encode("ascii"))
    os.close(feed)
    command = [script, "--input", str(source), "--output", str(answer), *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(TEMPLATECONFIG_RESULT_FD=str(told)),
        pass_fds=[source, answer, told],
        timeout=60,
        check=False,
    )
    for descriptor in (source, answer, told):
        os.close(descriptor)
    found = []
    for descriptor in (answers, tellings):
        with open(descriptor, encoding="ascii") as pipe:
            found.append(pipe.read())
    return done.returncode, found[0], json.loads(found[1] or "null"), done.stdout.decode("utf-8", "surrogateescape")


def test_parameters_pass_through_a_function_and_nothing_else_gets_among_them(folder):
    script = folder.add(
        "one",
        "print('printed')",
        "sys.stdout.write('written')",
        "os.write(1, b'raw')",
        "subprocess.call(['echo', 'by a command'])",
        "parameters['b'] = parameters['a'] + u'!'",
    )
    code, answer, told, printed = by_program(script, "configure", given=json.dumps({"a": SECRET}))
    assert code == 0 and json.loads(answer) == {"a": SECRET, "b": SECRET + "!"}
    assert told == {"changed": None, "message": "", "password_keys": [], "check": False}
    assert all(text in printed for text in ("printed", "written", "raw", "by a command"))


def test_by_hand_standard_input_and_output_do(folder):
    script = folder.add("one", "print('printed')", "parameters['b'] = '2'", described=[{"key": "a"}])
    code, out, err = by_hand(script, "configure", given=b'{"a": "1"}')
    assert (code, json.loads(out)) == (0, {"a": "1", "b": "2"}) and "printed" in err
    assert by_hand(script, "--enumerate", "configure") == (0, b'[{"key": "a"}]\n', "")
    assert by_hand(script, "-e", "configure")[1] == b'[{"key": "a"}]\n'
    code, out, err = by_hand(script, "--help")
    assert code == 0 and b"usage: one" in out and b"Targets: configure" in out and not err


def test_bytes_that_are_not_utf_8_survive(folder):
    script = folder.add("one", "parameters['b'] = parameters['a']")
    given = json.dumps({"a": b"\xff\xc3\xbc".decode("utf-8", "surrogateescape")})
    code, answer, _told, _printed = by_program(script, "configure", given=given)
    assert code == 0 and json.loads(answer)["b"].encode("utf-8", "surrogateescape") == b"\xff\xc3\xbc"


def test_returning_nothing_leaves_the_parameters(folder):
    script = folder.add("one", "return None")
    assert by_program(script, "configure", given='{"a": "1"}')[:2] == (0, '{"a": "1"}\n')


def test_leaving_by_exit_without_an_error_leaves_the_parameters_and_what_was_changed(folder):
    script = folder.add("one", "changed()", "sys.exit(0)")
    code, answer, told, _printed = by_program(script, "configure", given='{"a": "1"}')
    assert (code, answer, told["changed"]) == (0, '{"a": "1"}\n', True)


def test_leaving_by_exit_with_nothing_to_hand_on_is_an_error(folder):
    code, answer, told, _printed = by_program(folder.add("one", "sys.exit(0)"), "configure", given="[]")
    assert (code, answer, told["message"]) == (1, "", "standard input returned JSON that is not an object")


@pytest.mark.parametrize(
    "line, message",
    [
        ("sys.exit(3)", "it called exit(3)"),
        ("sys.exit('no such disk')", "it called exit(no such disk)"),
        ("raise ValueError('bad')", "ValueError: bad"),
        ("raise ValueError", "ValueError"),
        ("raise Failed('no room')", "no room"),
        ("raise Failed()", "it does not say why it failed"),
        ("return parameters", "its function for configure returned dict instead of JSON text: return json.dumps(...)"),
        ("return '['", "its function for configure returned what is no JSON: return json.dumps(...)"),
        ("return '[' * 100000", "its function for configure returned what is no JSON: return json.dumps(...)"),
        ("return '[]'", "its function for configure returned JSON that is not an object"),
    ],
)
def test_a_function_that_fails(folder, line, message):
    code, answer, told, _printed = by_program(folder.add("one", line), "configure")
    assert (code, answer, told["message"]) == (1, "", message)
    code, out, err = by_hand(folder.add("two", line), "configure", given=b"{}")
    assert code == 1 and not out and message in err


def test_a_traceback_is_told_without_secrets(folder):
    script = folder.add("one", "raise ValueError(u'no: %s' % parameters['x.pin'])", described=[PASSWORD])
    code, _answer, told, printed = by_program(script, "configure", given=json.dumps({"x.pin": SECRET}))
    assert code == 1 and "Traceback" in printed and "line " in printed
    assert told["password_keys"] == ["x.pin"] and "ValueError" in told["message"]
    assert "hunter2" not in printed + told["message"]


def test_a_password_with_a_number_stands_for_all_numbers(folder):
    described = [{"key": "x.pw.0", "password": "True"}, {"key": "x.key.N", "password": True}]
    script = folder.add("one", "raise ValueError(str(sorted(parameters.values())))", described=described)
    given = {"x.pw.7": "hunter7", "x.key.1": "hunter1", "x.open.1": "shown"}
    _code, _answer, told, printed = by_program(script, "configure", given=json.dumps(given))
    assert "hunter" not in printed + told["message"] and "shown" in told["message"]


def test_an_enumerate_function_that_fails_later_does_not_keep_the_script_from_running(folder):
    # As in the field: it thinks of one target only.
    text = (
        "#!%s\nfrom templateconfig.cli import main\n"
        "def describe(target):\n    if target == 'configure':\n        found = '[]'\n    return found\n"
        "main(describe, {'cleanup': lambda text: text})\n"
    )
    script = folder.put("one", text % folder._python, targets=["cleanup"])
    code, answer, told, _printed = by_program(script, "cleanup", given='{"a": "1"}')
    assert (code, answer, told["message"]) == (0, '{"a": "1"}\n', "")
    code, out, err = by_hand(script, "-e", "cleanup")
    assert code == 1 and not out and "UnboundLocalError" in err


@pytest.mark.parametrize(
    "returned, message",
    [
        ("{}", "its enumerate function returned JSON that is not an array"),
        ("nothing", "its enumerate function returned what is no JSON: return json.dumps(...)"),
    ],
)
def test_an_enumeration_that_is_none(folder, returned, message):
    text = "#!%s\nfrom templateconfig.cli import main\nmain(lambda target: '%s', {})\n"
    code, out, err = by_hand(folder.put("one", text % (folder._python, returned)), "-e", "configure")
    assert (code, out, err) == (1, b"", "one: %s\n" % message)


def test_a_target_that_it_does_not_know(folder):
    code, _answer, told, _printed = by_program(folder.add("one"), "cleanup")
    assert code == 1 and told["message"] == "it knows no target 'cleanup': see what its header enables it for"


def test_check_mode_reaches_the_scripts_that_know_of_it_and_no_others(folder):
    lines = ["parameters['seen'] = str(checking())", "changed(False)", "changed(True)", "changed(False)"]
    knows, knows_not = folder.add("one", *lines, check=True), folder.add("two", *lines)
    code, answer, told, _printed = by_program(knows, "--check", "configure")
    assert (code, json.loads(answer)["seen"], told["changed"], told["check"]) == (0, "True", True, True)
    code, answer, told, _printed = by_program(knows_not, "--check", "configure")
    assert (code, json.loads(answer), told["changed"], told["check"]) == (0, {}, None, False)
    code, answer, told, _printed = by_program(knows_not, "configure")
    assert (code, json.loads(answer)["seen"], told["changed"], told["check"]) == (0, "False", True, False)


def test_what_a_script_starts_inherits_none_of_its_channels(folder):
    # The pipes of this test are the only ones beyond 2, apart from the one that lists the folder.
    script = folder.add(
        "one",
        "parameters['open'] = run_cmd(['ls', '/proc/self/fd']).split()",
        "parameters['told'] = str('TEMPLATECONFIG_RESULT_FD' in os.environ)",
        "parameters['loose'] = os.popen('ls /proc/self/fd').read().split()",
    )
    code, answer, _told, _printed = by_program(script, "configure")
    found = json.loads(answer)
    assert code == 0 and found["told"] == "False" and found["open"] == found["loose"] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "no target is given"),
        (["configure", "cleanup"], "unexpected argument 'cleanup'"),
        (["--what", "configure"], "unexpected argument '--what'"),
        (["configure", "--input"], "the option --input needs a descriptor"),
        (["configure", "--input=x"], "invalid literal"),
        (["configure", "--output", "99"], "Bad file descriptor"),
    ],
)
def test_command_lines_that_cannot_be_followed(folder, arguments, text):
    code, out, err = by_hand(folder.add("one"), *arguments)
    assert code == 2 and not out and err.startswith("one: ") and text in err and err.count("\n") == 1
