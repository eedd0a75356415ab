# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running single scripts: whatever they do, there is an answer, in time, and without secrets."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import script as scripts
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import BadScript
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.log import DEBUG, Log
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.redaction import Redactor
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import Question, Runner
from lab.process import gone
from lab.template_scripts import LIBRARY, Folder, coverage_environment

#: What no test comes near, unless something hangs.
PATIENCE = 60.0
SECRET = "hunter2-secret"
#: A shell script's answer, to the descriptor behind --output.
ANSWER = "while [ $# -gt 2 ]; do shift; done\necho '{}' > /dev/fd/$1\n"


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "template.d")


@pytest.fixture
def log(tmp_path):
    """What was logged: a function."""
    path = tmp_path / "log"
    return lambda: path.read_text(encoding="utf-8")


@pytest.fixture
def runner(tmp_path):
    log = Log(str(tmp_path / "log"), DEBUG, "%(levelname)s %(name)s: %(message)s")
    return Runner(LIBRARY, PATIENCE, log, coverage_environment())


@pytest.fixture
def run(runner):
    """Run a script: a function."""

    def run(path, parameters=None, check=False, secrets=()):
        redactor = Redactor()
        for secret in secrets:
            redactor.add(secret)
        return runner.run(os.path.basename(path), path, "configure", parameters or {}, redactor, check)

    return run


def appears(path):
    """What is in a file, once something is."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError("%s did not appear" % path)


def test_a_good_script(folder, run, log):
    path = folder.add("one", "parameters['b'] = 'h\u00fc\\udcff'", "changed(True)", "print('done so')")
    outcome = run(path, {"a": "1"})
    assert outcome.parameters == {"a": "1", "b": "h\u00fc\udcff"} and outcome.changed is True
    assert not outcome.message and not outcome.skipped and 0 < outcome.seconds < PATIENCE
    assert "INFO one: done so\nINFO one: changed in " in log() and "1" not in repr(outcome)[:9]
    assert run(folder.add("two", "changed(False)")).changed is False and "nothing changed in" in log()
    assert run(folder.add("three")).changed is None


def test_what_scripts_get_to_see(folder, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("OVM_TEMPLATE_ROOT", "/mnt")
    path = folder.add(
        "one",
        "parameters['environment'] = json.dumps(dict(os.environ))",
        "parameters['rest'] = json.dumps([sys.argv, os.getcwd(), os.getsid(0) == os.getpid(), sys.stdin.read()])",
    )
    runner = Runner(LIBRARY, PATIENCE, environment=coverage_environment())
    found = runner.run("one", path, "configure", {"root-password": SECRET}, Redactor()).parameters
    environment = json.loads(found["environment"])
    kept = {name: value for name, value in environment.items() if not name.startswith(("COVERAGE", "LC_", "LANG"))}
    assert kept == {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "PYTHONPATH": LIBRARY, "OVM_TEMPLATE_ROOT": "/mnt",
        "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    assert environment.get("LC_ALL") in ("C.UTF-8", "C") or environment["LC_CTYPE"] == "en_US.UTF-8"
    arguments, place, own_session, standard_input = json.loads(found["rest"])
    assert arguments[0] == path and place == "/" and own_session and standard_input == ""
    assert SECRET not in found["environment"] + found["rest"]


@pytest.mark.parametrize(
    "line, message",
    [
        ("sys.exit(1)", "it called exit(1)"),
        ("os._exit(3)", "it ended with exit code 3"),
        ("print('a\\n last \\n'), os._exit(3)", "it ended with exit code 3; last it said: last"),
        ("os._exit(0)", "it returned nothing"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it was killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 3)", "it was killed by signal 37"),
        ("raise ValueError('no')", "ValueError: no"),
        ("raise ValueError('n' * 1000)", "ValueError: " + "n" * 385 + "..."),
        ("raise ValueError('a\\n\\x1b[2Jb')", "ValueError: a \\x1b[2Jb"),
        ("return '[]'", "its function for configure returned JSON that is not an object"),
        ("parameters['k'] = ['list']", "what the script 'one' returned has a value of 'k' that is no text: "),
    ],
)
def test_a_script_that_fails(folder, run, log, line, message):
    outcome = run(folder.add("one", line))
    assert outcome.parameters is None and outcome.message.startswith(message)
    assert "ERROR one: failed after " in log() and "Traceback" not in outcome.message


def test_the_traceback_is_in_the_log(folder, run, log):
    run(folder.add("one", "raise ValueError('no')"))
    assert "ERROR one: Traceback (most recent call last):\nERROR one:   File" in log()


@pytest.mark.parametrize(
    "first, mode, message",
    [
        ("#!/no/such/python2\n", 0o755, "the script 'one' needs /no/such/python2, which is not there: install it, or "),
        ("#! /no/such/python2 -u\n", 0o755, "the script 'one' needs /no/such/python2, which is not there"),
        ("#!/usr/bin/python3\r\n", 0o755, "the first line of the script 'one' ends as on Windows: convert "),
        ("#!/usr/bin/env python2.0\n", 0o755, "it ended with exit code 127; last it said: "),
        ("import os\n", 0o755, "the script 'one' has no first line that names its interpreter: begin it with #!"),
        ("", 0o755, "the script 'one' has no first line that names its interpreter"),
        ("#!/bin/sh\n", 0o644, "the script 'one' is not executable: run 'chmod 0755 /"),
        ("#!/etc/passwd\n", 0o755, "the script 'one' is not executable"),
        (
            "#!%s\nimport templateconfig_nothing\n" % sys.executable,
            0o755,
            "it ended with exit code 1; last it said: Mod",
        ),
        ("#!%s\ndef (\n" % sys.executable, 0o755, "it ended with exit code 1; last it said: SyntaxError: "),
    ],
)
def test_a_script_that_cannot_be_started(folder, run, log, first, mode, message):
    path = folder.put("one", first, mode=mode)
    outcome = run(path)
    assert outcome.message.startswith(message) and outcome.parameters is None and outcome.message in log()


def test_a_script_that_is_missing(folder, run, runner, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    outcome = run(str(tmp_path / "one"))
    assert outcome.message == "the script 'one' is missing: there is no %s" % (tmp_path / "one")
    assert outcome.changed is False  # nothing has run
    with pytest.raises(BadScript, match="^the script 'one' is missing"):
        runner.enumerate("one", str(tmp_path / "one"), "configure")
    assert len(os.listdir("/proc/self/fd")) == before


def test_just_some_python_that_is_not_there_is_ours(folder, run, log, monkeypatch, tmp_path):
    monkeypatch.setattr(scripts, "_PATH", str(tmp_path))
    for first in ("/no/such/python", "/no/such/python3", "/usr/bin/env python"):
        outcome = run(folder.add("one", "parameters['by'] = sys.executable", python=first))
        assert outcome.parameters == {"by": sys.executable}
        assert "INFO one: run by %s, as there is no " % sys.executable in log()
        (folder.path / "configure.d" / "50one").unlink()


def test_time_is_limited_and_what_a_script_started_ends_with_it(folder, runner, run, log, tmp_path):
    note = tmp_path / "note"
    text = "#!/bin/sh\necho going to hang\nsleep 300 &\necho $$ $! >> %s\n" % note
    text += "sh -c 'trap \"\" TERM; echo $$ >> %s; sleep 300 & wait; sleep 300'\n" % note
    path = folder.put("one", text)
    runner.timeout, runner.grace = 2.0, 0.2
    outcome = run(path)
    assert outcome.message == "it took longer than 2 seconds and was ended; last it said: going to hang"
    assert 2.0 <= outcome.seconds < PATIENCE and outcome.parameters is None
    assert all(gone(process) for process in note.read_text().split())
    assert "ERROR one: going to hang" in log()


def test_a_script_may_put_things_right_when_its_time_is_over(folder, runner, run):
    runner.timeout = 2.0
    path = folder.put("one", "#!/bin/sh\ntrap 'echo put right; exit 0' TERM\nsleep 300 & wait\n")
    assert run(path).message == "it took longer than 2 seconds and was ended; last it said: put right"


def test_a_service_left_behind_is_not_waited_for_and_stays(folder, run, tmp_path):
    note = tmp_path / "note"
    path = folder.add(
        "one",
        "child = subprocess.Popen(['sleep', '300'], close_fds=False)",
        "open('%s', 'w').write(str(child.pid))" % note,
        "parameters['k'] = 'v'",
    )
    outcome = run(path)
    process = int(note.read_text())
    try:
        assert outcome.parameters == {"k": "v"} and outcome.seconds < PATIENCE
        os.kill(process, 0)
    finally:
        os.kill(process, signal.SIGKILL)


def test_who_holds_even_the_pipes_of_the_answer_is_not_waited_for(folder, run):
    # A fork without exec: what goes on writing, and never closes anything.
    path = folder.add(
        "one",
        "sys.stdout.flush()",
        "if os.fork() == 0:",
        "    os.setsid()",
        "    signal.alarm(20)",
        "    while True:",
        "        os.write(1, b'chatter ' * 1000)",
        "parameters['k'] = 'v'",
    )
    outcome = run(path)
    assert outcome.parameters == {"k": "v"} and outcome.seconds < 20


def test_more_than_pipes_hold_both_ways(folder, run, log):
    big = {"k%d" % number: "x" * 1000 for number in range(2000)}
    path = folder.add("one", "sys.stdout.write('y' * 300000)", "sys.stderr.write('z' * 300000)", "sys.stdout.flush()")
    outcome = run(path, big)
    assert outcome.parameters == big and "z" * 300000 in log()


def test_what_does_not_read_its_parameters_is_no_deadlock(folder, run):
    path = folder.put("one", "#!/bin/sh\n" + ANSWER)
    assert run(path, {"k": "x" * 1000000}).parameters == {}


def test_of_too_much_output_the_beginning_is_kept_and_no_half_secret(folder, run, log, monkeypatch):
    monkeypatch.setattr(scripts, "PRINTED_LIMIT", 1000)
    for cut in range(len(SECRET) + 1):
        run(folder.add("one", "print('x' * %d + '%s' + 'y' * 5000)" % (1000 - cut, SECRET)), secrets=[SECRET])
        (folder.path / "configure.d" / "50one").unlink()
    assert "more bytes of its output were dropped)" in log() and "hu" not in log()


def test_too_long_an_answer(folder, run, monkeypatch):
    monkeypatch.setattr(scripts, "ANSWER_LIMIT", 1000)
    assert run(folder.add("one", "parameters['k'] = 'x' * 1000")).message == "it returned more than 1000 bytes"


def test_secrets_show_nowhere(folder, run, log):
    lines = ["print(parameters)", "shell_cmd('echo ' + parameters['x.pin'] + ' >&2')", "raise ValueError(text)"]
    described = [{"key": "x.pin", "password": True}]
    path = folder.add("one", *lines, described=described)
    # This side was not told of x.pin; the script says so itself.
    outcome = run(path, {"x.pin": SECRET, "root-password": "other-secret"}, secrets=["other-secret"])
    assert outcome.password_keys == ["x.pin"] and outcome.message.startswith("ValueError: ")
    assert SECRET not in log() + outcome.message and "other-secret" not in log() + outcome.message


@pytest.mark.parametrize("told", ["nothing", "[1]", "", '{"changed": 1, "message": ["x"], "password_keys": [1, "k"]}'])
def test_nonsense_about_itself_is_not_believed(folder, run, told):
    text = "#!/bin/sh\necho '%s' > /dev/fd/$TEMPLATECONFIG_RESULT_FD\n" % told + ANSWER
    outcome = run(folder.put("one", text), {"k": "v"})
    assert outcome.parameters == {} and outcome.changed is None and not outcome.message


def test_check_mode(folder, run, tmp_path):
    note = tmp_path / "note"
    lines = ["open('%s', 'a').write(str(checking()))" % note, "changed()"]
    outcome = run(folder.add("one", *lines, check=True), check=True)
    assert not outcome.skipped and outcome.changed is True
    outcome = run(folder.add("two", *lines), {"k": "v"}, check=True)
    assert outcome.skipped and outcome.changed is None and outcome.parameters == {"k": "v"}
    assert note.read_text() == "True"


def test_descriptions(folder, runner, log):
    path = folder.add("one", described=[{"key": "a", "required": True}])
    assert [parameter.key for parameter in runner.enumerate("one", path, "configure")] == ["a"]
    bad = folder.put("two", "#!%s\nprint('no')\nraise SystemExit(4)\n" % sys.executable)
    none = folder.put("three", "#!/bin/sh\necho '[1]' > /dev/fd/$3\n")
    text = "^the script 'two' does not describe its parameters: it ended with exit code 4; last it said: no$"
    with pytest.raises(BadScript, match=text):
        runner.enumerate("two", bad, "configure")
    assert "DEBUG two: no" in log()
    answers = runner.enumerate_all(
        [Question(name, place, "configure") for name, place in (("three", none), ("one", path), ("two", bad))]
    )
    assert "a parameter without a key" in str(answers[0]) and answers[1][0].required and "'two'" in str(answers[2])


def test_many_are_asked_at_once(folder, runner, tmp_path):
    # Each waits for the other to have started.
    one, two = tmp_path / "one", tmp_path / "two"
    text = "#!%s\nimport pathlib, time\nfrom templateconfig.cli import main\ndef describe(target):\n"
    text += "    pathlib.Path('%s').write_text('x')\n    while not pathlib.Path('%s').exists():\n"
    text += "        time.sleep(0.01)\n    return '[]'\nmain(describe, {})\n"
    paths = [folder.put("a", text % (sys.executable, one, two)), folder.put("b", text % (sys.executable, two, one))]
    assert runner.enumerate_all([Question("x", path, "configure") for path in paths]) == [[], []]


def test_asking_is_limited_in_time_for_all_together(folder, runner):
    runner.timeout, runner.grace = 2.0, 0.1
    hanging = [folder.put(name, "#!/bin/sh\nexec sleep 300\n") for name in ("one", "two")]
    good = folder.put("three", "#!/bin/sh\necho '[]' > /dev/fd/$3\n")
    answers = runner.enumerate_all([Question(os.path.basename(p), p, "configure") for p in [*hanging, good]])
    assert [isinstance(answer, BadScript) for answer in answers] == [True, True, False]
    assert "it took longer than 2 seconds" in str(answers[0])


# In a process of its own, as programs are: one with a single thread. Those of a test's process take signals as well, so
# that to block them there means nothing.
STOPPED = """
import signal, sys
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.log import DEBUG, Log
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.redaction import Redactor
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import Question, Runner

class Stop(BaseException):
    pass

def stop(*_ignored):
    raise Stop()

path, library, log, how = sys.argv[1:]
signal.signal(signal.SIGUSR2, stop)
runner = Runner(library, 60.0, Log(log, DEBUG, "%(levelname)s %(name)s: %(message)s"))
try:
    if how == "ask":
        runner.enumerate_all([Question("one", path, "configure")])
    else:
        runner.run("one", path, "configure", {}, Redactor())
except Stop:
    print("stopped", signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set())
"""


@pytest.mark.parametrize("how", ["ask", "run"])
def test_whatever_ends_a_run_ends_the_script(folder, log, tmp_path, how):
    note = tmp_path / "note"
    # It has the run ended as soon as can be: that may still be busy with starting it.
    text = "#!/bin/sh\necho said so\nsleep 300 &\necho $$ $! > %s\nkill -USR2 $PPID\nwait\n" % note
    path = folder.put("one", text)
    command = [sys.executable, "-c", STOPPED, path, LIBRARY, str(tmp_path / "log"), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr) == ("stopped True\n", "")
    assert all(gone(process) for process in note.read_text().split())
    assert how == "ask" or "ERROR one: said so\nERROR one: ended as the run was" in log()


def test_a_script_does_not_outlive_a_killed_run(folder, tmp_path):
    note = tmp_path / "note"
    path = folder.put("one", "#!/bin/sh\necho $$ > %s\nexec sleep 300\n" % note)
    code = (
        "import sys\n"
        "from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.script import Runner\n"
        "Runner('/no', 300).run('one', sys.argv[1], 'configure', {}, None)\n"
    )
    runs = subprocess.Popen([sys.executable, "-c", code, path])
    process = appears(note)
    runs.kill()
    runs.wait()
    assert gone(process.strip())
