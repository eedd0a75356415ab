# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, and what the program says about it."""

import json
import os
import signal
import subprocess
import time

import pytest

from lab.process import gone

PATIENCE = 60
REQUIRED = [{"key": "x.a", "required": True}, {"key": "x.b", "required": True}]


def appears(path):
    """What is in a file, once something is."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and path.read_text().strip():
            return path.read_text().strip()
        time.sleep(0.02)
    raise AssertionError("%s did not appear" % path)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "no target is given: try 'ovm-template-config --help'"),
        (["configure", "cleanup"], "unexpected argument 'cleanup': try 'ovm-template-config --help'"),
        (["boot"], "there is no target 'boot': use one of configure, unconfigure, reconfigure, cleanup, suspend, "),
        (["--what", "configure"], "option --what not recognized: try"),
        (["--lo", "x", "configure"], "option --lo not a unique prefix: try"),
        (["configure", "--script"], "option --script requires argument: try"),
        (
            ["--stdin", "--input", "0", "configure"],
            "parameters come from one source only, not from --stdin and --input",
        ),
        (["--human-readable", "configure"], "--human-readable means nothing without --enumerate"),
        (["-e", "--check", "configure"], "--check means nothing with --enumerate"),
        (["-e", "--stdin", "configure"], "--stdin means nothing with --enumerate"),
        (["--initial-config", "configure"], "--initial-config goes without a target"),
        (["--initial-config", "--stdin"], "--stdin means nothing with --initial-config"),
        (["--input", "x", "configure"], "'x' is no descriptor for --input: give the number of an open one"),
        (["--output", "77", "configure"], "the descriptor 77 for --output is not open"),
        (["--report", "9" * 30, "configure"], "'%s' is no descriptor for --report: give the number" % ("9" * 30)),
        (["--report", "1", "-o", "1", "configure"], "--report and --output cannot share a descriptor"),
        (["--timeout", "0", "configure"], "'0' is no number of seconds for --timeout: give 0.001 to 864000"),
        (["--timeout", "nan", "configure"], "'nan' is no number of seconds for --timeout"),
        (["--lock-timeout=x", "configure"], "'x' is no number of seconds for --lock-timeout"),
        (["--loglevel", "loud", "configure"], "there is no log level 'loud': use one of DEBUG, INFO"),
        (["--logformat", "%(no)s", "configure"], "'%(no)s' is no log format: write it as Python's logging does"),
        (["--script", "none", "configure"], "'none'"),
    ],
)
def test_command_lines_that_cannot_be_followed(one_run, arguments, text):
    note = one_run.folder.path / "note"
    one_run.folder.add("one", "open('%s', 'w')" % note)
    code, out, err = one_run(*arguments)
    assert (code, out) == (2, "") and err.startswith("ovm-template-config: ") and text in err and err.count("\n") == 1
    assert not note.exists()


@pytest.mark.parametrize(
    "given, text",
    [
        (b'{"x.a":"\xff"}', "line 1 of the parameters is not UTF-8: "),
        (b"root-password=hunter2", "line 1 of the parameters is no JSON"),
        (b'{"x.a":"1"}\n["hunter2"]\n', "line 2 of the parameters is no JSON object"),
        (b'{"x.a":"hunter2"}\n', "required parameters are missing: x.b: give each of them a value; nothing was run"),
        (b"", "required parameters are missing: x.a, x.b: "),
    ],
)
def test_parameters_that_do_not_do(one_run, given, text):
    note = one_run.folder.path / "note"
    one_run.folder.add("one", "open('%s', 'w')" % note, described=REQUIRED)
    code, out, err = one_run("--stdin", "--report", "1", "configure", given=given)
    assert (code, out) == (2, "") and text in err and err.count("\n") == 1 and not note.exists()
    log = one_run.log.read_text()
    assert "ERROR" in log and text in log and "hunter2" not in log + err


def test_of_a_repeated_parameter_the_last_one_holds(one_run):
    one_run.folder.add("one")
    given = b'{"a": "1"}\n{"b": "2"}\n{"a": "3"}\n{"a": "4"}\n'
    code, out, err = one_run("--stdin", "-o", "1", "configure", given=given)
    assert code == 0 and json.loads(out) == {"a": "4", "b": "2"}
    assert err == "ovm-template-config: the parameter 'a' was given more than once; the last value holds\n"
    assert "WARNING" in one_run.log.read_text()


def test_without_a_directory_of_scripts(one_run, tmp_path):
    code, out, err = one_run("configure", env=dict(one_run.environment, OVM_TEMPLATE_DIR=str(tmp_path / "no")))
    assert (code, out) == (3, "") and str(tmp_path / "no") in err


def test_each_kind_of_bad_script_and_the_good_one_runs_all_the_same(one_run):
    one_run.folder.add("a-exit", "sys.exit(1)", priority=10)
    one_run.folder.add("b-json", "return '{'", priority=20)
    one_run.folder.add("c-killed", "os.kill(os.getpid(), signal.SIGSEGV)", priority=30)
    one_run.folder.put(
        "d-hanging", "#!/bin/sh\n[ $1 = --enumerate ] && echo '[]' > /dev/fd/$3 && exit\nsleep 300\n", 40
    )
    one_run.folder.put("e-mode", "#!/bin/sh\n", 50, mode=0o644)
    one_run.folder.put("f-python2", "#!/opt/python2/bin/python2\n", 60)
    (one_run.folder.path / "configure.d" / "70g-gone").symlink_to("../scripts/g-gone")
    one_run.folder.add("h-good", "parameters['done'] = 'True'", priority=80)
    code, report, err = one_run.report("--timeout", "10", "configure")
    assert code == 1 and report["failed"] == [
        "a-exit", "b-json", "c-killed", "d-hanging", "e-mode", "f-python2", "g-gone",
    ]  # fmt: skip
    assert [script["message"].partition(":")[0] for script in report["scripts"]] == [
        "it called exit(1)",
        "its function for configure returned what is no JSON",
        "it was killed by SIGSEGV",
        "it took longer than 10 seconds and was ended",
        "the script 'e-mode' is not executable",
        "the script 'f-python2' needs /opt/python2/bin/python2, which is not there",
        "the script 'g-gone' is missing",
        "",
    ]
    assert err.count("\n") == 7 and "the script 'f-python2' failed: " in err
    code, out, err = one_run("-e", "-s", "f-python2", "configure")
    assert (code, out) == (1, "[]\n") and "/opt/python2/bin/python2" in err


def test_a_full_disk_for_the_log_ends_nothing(one_run):
    one_run.folder.add("one", "parameters['done'] = 'True'")
    code, out, err = one_run("--logfile", "/dev/full", "-o", "1", "configure")
    assert (code, out) == (0, '{"done": "True"}\n')
    assert (
        err == "ovm-template-config: the log /dev/full cannot be written (No space left on device); going on without\n"
    )


def test_a_report_that_cannot_be_written(one_run):
    one_run.folder.add("one")
    with open("/dev/full", "wb") as full:
        number = full.fileno()
        code, out, err = one_run("--report", str(number), "configure", pass_fds=[number])
    assert (code, out) == (5, "")
    assert (
        err
        == "ovm-template-config: descriptor %d cannot be written (No space left on device): see where it leads\n"
        % number
    )


def test_two_runs_at_once_wait_for_each_other(one_run, tmp_path):
    note, go = tmp_path / "note", tmp_path / "go"
    os.mkfifo(go)
    lines = ["open('%s', 'a').write('begin ')" % note, "open('%s').read()" % go, "open('%s', 'a').write('end ')" % note]
    one_run.folder.add("one", *lines)
    first = one_run.start("configure")
    assert appears(note) == "begin"
    code, _out, err = one_run("--lock-timeout", "0", "configure")
    assert code == 3 and "another run (process %d) is going on, and did not end within 0 seconds" % first.pid in err
    second = one_run.start("configure")
    waiting = second.stderr.readline()
    assert waiting == "ovm-template-config: waiting up to 600 seconds for another run (process %d)\n" % first.pid
    assert note.read_text() == "begin "
    go.write_text("")
    assert first.wait(PATIENCE) == 0
    go.write_text("")
    assert second.communicate(timeout=PATIENCE) == ("", "") and second.returncode == 0
    assert note.read_text() == "begin end begin end "


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_the_script_and_then_the_program(run, tmp_path, name):
    note = tmp_path / "note"
    run.folder.put("one", "#!/bin/sh\n[ $1 = --enumerate ] && exit\nsleep 300 &\necho $$ $! > %s\nwait\n" % note)
    run.folder.add("two", "open('%s', 'w')" % (tmp_path / "two"), priority=60)
    program = run.start("configure", start_new_session=True)
    processes = appears(note).split()
    program.send_signal(getattr(signal, name))
    assert program.communicate(timeout=PATIENCE) == ("", "") and program.returncode == -getattr(signal, name)
    assert all(gone(process) for process in processes) and not (tmp_path / "two").exists()
    assert "one: ended as the run was\n" in run.log.read_text() and "ended by " + name in run.log.read_text()


def test_a_signal_that_was_ignored_stays_so(one_run, tmp_path):
    note, go = tmp_path / "note", tmp_path / "go"
    os.mkfifo(go)
    one_run.folder.add("one", "open('%s', 'w').write('x')" % note, "open('%s').read()" % go)
    program = one_run.start("configure", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    appears(note)
    program.send_signal(signal.SIGHUP)
    go.write_text("")
    assert program.wait(PATIENCE) == 0


def test_of_a_killed_run_nothing_is_left_and_the_next_can_start(run, tmp_path):
    note = tmp_path / "note"
    run.folder.put("one", "#!/bin/sh\n[ $1 = --enumerate ] && exit\necho $$ > %s\nexec sleep 300\n" % note)
    program = run.start("configure")
    process = appears(note)
    program.kill()
    program.wait(PATIENCE)
    assert gone(process)
    (run.folder.path / "configure.d" / "50one").unlink()
    run.folder.add("one")
    assert run("--lock-timeout", "0", "configure")[0] == 0


def test_a_reader_that_has_gone_ends_it_as_it_ends_others(one_run):
    one_run.folder.add("one")
    done = subprocess.run(
        ["sh", "-c", '"$@" | true; exit 0', "sh", *one_run.command, "-e", "configure"],
        env=dict(one_run.environment, PATH=os.environ["PATH"]),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == b""


def test_an_ordinary_user_who_may_not(one_run):
    if os.geteuid() == 0:
        one_run.lock.mkdir()  # root may write everywhere, but not to this
    else:
        one_run.environment["OVM_TEMPLATE_LOCK"] = "/proc/1/no"
    one_run.folder.add("one")
    code, out, err = one_run("configure")
    assert (code, out) == (3, "") and "the lock " in err and "cannot be had (" in err
