# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm-chkconfig cannot do: one line on standard error, a documented exit code, and nothing changed."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time

#: Capabilities that let root read and write where others must not, and prctl's number for giving one up for good.
DAC_OVERRIDE, DAC_READ_SEARCH, CAPBSET_DROP = 1, 2, 24
LIBC = ctypes.CDLL(None, use_errno=True)


def as_anybody():
    """Before a program starts: what is forbidden to others is forbidden to root, too."""
    if os.geteuid() == 0:
        for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
            if LIBC.prctl(CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def check(found, code, *said):
    assert found[0] == code and found[1] == "", found
    assert found[2].startswith("ovm-chkconfig: ") and found[2].count("\n") == 1, found
    for text in said:
        assert text in found[2], found


BAD_USAGE = {
    (): "say what to do: a script's name and then 'on' or 'off', or another option: try 'ovm-chkconfig --help'",
    ("network",): "say what to do",
    ("network", "On"): "say what to do",
    ("network", "on", "off"): "say what to do",
    ("--target=configure", "network"): "say what to do",
    ("--target=configure",): "say what to do",
    ("--root=/",): "say what to do",
    ("--target",): "option --target requires argument: try 'ovm-chkconfig --help'",
    ("--add",): "option --add requires argument",
    ("--del",): "option --del requires argument",
    ("--list=network",): "option --list must not have an argument",
    ("--lost",): "option --lost not recognized",
    ("-x",): "option -x not recognized",
    ("--", "--list"): "say what to do",
    ("--add", "network", "firewall"): "unexpected argument 'firewall'",
    ("--list", "network", "firewall"): "unexpected argument 'firewall'",
    ("--add", "network", "--add", "firewall"): "only one of --list, --add, --del and --target can be done at a time",
    ("--add", "network", "--list"): "only one of",
    ("--list", "--target=configure"): "only one of",
    ("--target=", "network", "on"): "--target names no target: use some of configure, unconfigure",
    ("--target=,", "network", "on"): "--target names no target",
    (
        "--target=configure,boot",
        "network",
        "on",
    ): "there is no target 'boot': use one of configure, unconfigure, reconf",
    ("--target=Configure", "network", "off"): "there is no target 'Configure'",
    ("--root=", "--list"): "--root names no directory",
    ("--add", "network", "a\nb\x1b[31m"): "unexpected argument 'a\\nb\\x1b[31m'",
}
BAD_SCRIPT = {
    ("--add", "missing"): "there is no script 'missing': it would be ",
    ("--del", "missing"): "there is no script 'missing'",
    ("--list", "missing"): "there is no script 'missing'",
    ("missing", "on"): "there is no script 'missing'",
    ("missing", "off"): "there is no script 'missing'",
    ("--target=configure", "missing", "off"): "there is no script 'missing'",
    ("--add", "../../etc/passwd"): "'../../etc/passwd' cannot be a script's name: use at most 100",
    ("--del", ""): "'' cannot be a script's name",
    ("--list", ".."): "'..' cannot be a script's name",
    ("--add", b"\xff\xc3\xbc"): "cannot be a script's name",
    ("--target=configure,suspend", "network", "on"): "the script 'network' does not support suspend: by its header, it",
    ("--add", "plain"): "/plain is not executable: run 'chmod 0755 ",
    ("--add", "headless"): "/headless has no header: add one among its first comments, between the lines '### BEGIN PL",
    ("--add", "priority"): "line 4 of ",
    ("priority", "on"): "/priority gives no usable priority for 'configure': give a number from 0 to 99",
    ("--add", "folder"): "/folder is no regular file: replace it",
}


def test_bad_command_lines(chkconfig):
    for arguments, said in BAD_USAGE.items():
        check(chkconfig(*arguments), 2, said)
    assert chkconfig.links() == {}


def test_bad_scripts(chkconfig):
    chkconfig.put("plain", "configure: 5", mode=0o644)
    chkconfig.put("headless").write_text("#!/bin/sh\n")
    chkconfig.put("priority", "configure: 100")
    (chkconfig.folder / "scripts/folder").mkdir()
    for arguments, said in BAD_SCRIPT.items():
        check(chkconfig(*arguments), 1, said)
    assert chkconfig.links() == {}


def test_without_its_directory(chkconfig, tmp_path):
    environment = dict(chkconfig.environment, OVM_TEMPLATE_DIR=str(tmp_path / "missing"))
    for arguments in (["--list"], ["--list", "network"], ["--del", "network"], ["network", "off"]):
        check(chkconfig(*arguments, env=environment), 3, "no directory %s/missing: install ovm-templ" % tmp_path)
    check(chkconfig("--root", tmp_path / "nothing", "--list"), 3, "there is no directory %s/nothing/" % tmp_path)
    check(chkconfig("--add", "network", env=environment), 1, "there is no script 'network'")


def test_without_the_right_to_change_anything(chkconfig):
    assert chkconfig("--add", "firewall") == (0, "", "")
    for folder in (chkconfig.folder / "configure.d", chkconfig.folder):
        folder.chmod(0o555)
    for arguments in (["--add", "network"], ["--del", "firewall"], ["--target=cleanup", "network", "on"]):
        check(
            chkconfig(*arguments, preexec_fn=as_anybody), 3, "cannot be changed (Permission denied): run this as root"
        )
    # Reading, and what changes nothing, needs no right.
    assert chkconfig("--list", preexec_fn=as_anybody)[0] == 0
    assert chkconfig("--add", "firewall", preexec_fn=as_anybody) == (0, "", "")
    chkconfig.folder.chmod(0)
    for arguments in (["--list"], ["--del", "firewall"]):
        check(chkconfig(*arguments, preexec_fn=as_anybody), 3, "cannot be read (Permission denied): run this as root")
    chkconfig.folder.chmod(0o755)
    (chkconfig.folder / "scripts/network").chmod(0o111)
    check(
        chkconfig("--add", "network", preexec_fn=as_anybody), 1, "cannot be read (Permission denied): run this as root"
    )


def test_output_that_nobody_takes(chkconfig):
    with open("/dev/full", "wb") as full:
        code, _out, err = chkconfig("--list", stdout=full)
        assert (code, err) == (
            5,
            "ovm-chkconfig: standard output cannot be written (No space left on device): see where it leads\n",
        )
    code, _out, err = chkconfig("--list", prefix=["sh", "-c", '"$@" >&-', "sh"])
    assert (code, err) == (
        5,
        "ovm-chkconfig: standard output cannot be written (Bad file descriptor): see where it leads\n",
    )
    reader, writer = os.pipe()
    os.close(reader)
    # The test's own process may have been told to ignore it.
    code, _out, err = chkconfig(
        "--list", stdout=writer, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    )
    os.close(writer)
    assert (code, err) == (-signal.SIGPIPE, "")


def test_closed_descriptors_are_not_taken_for_files(chkconfig):
    assert chkconfig("--add", "network", prefix=["sh", "-c", '"$@" <&- >&- 2>&-', "sh"]) == (0, "", "")
    assert len(chkconfig.links()) == 2


def test_ctrl_c_ends_it_as_any_command(chkconfig):
    """While it waits for another one that changes links."""
    folder = os.open(chkconfig.folder, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    waiting = subprocess.Popen(
        [*chkconfig.command, "--add", "network"],
        env=chkconfig.environment,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    _until_it_waits(waiting.pid)
    waiting.send_signal(signal.SIGINT)
    _out, err = waiting.communicate(timeout=60)
    os.close(folder)
    assert (waiting.returncode, err) == (-signal.SIGINT, b"")
    assert chkconfig.links() == {}


def _until_it_waits(pid):
    """Wait until a process waits for a lock, as the kernel tells."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with open("/proc/locks") as locks:
            if any(line.split()[1] == "->" and line.split()[5] == str(pid) for line in locks):
                return
        time.sleep(0.005)
    raise AssertionError("it never waited for the lock")


def test_two_at_once_undo_nothing_of_each_other(chkconfig):
    targets = ["configure", "cleanup"]
    running = [
        subprocess.Popen([*chkconfig.command, "--target=" + target, "network", state], env=chkconfig.environment)
        for state in ("on", "off", "on", "off", "on")
        for target in targets
    ]
    assert [process.wait(60) for process in running] == [0] * len(running)
    assert all(chkconfig("--target=" + target, "network", "on") == (0, "", "") for target in targets)
    assert chkconfig.links() == {
        "cleanup.d/40network": "../scripts/network",
        "configure.d/50network": "../scripts/network",
    }


def test_a_defect_is_told_in_one_line(one_chkconfig):
    """Whatever it is: exit code 70, and no traceback, which might quote a value."""
    broken = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import ovm_chkconfig as p; p.Scripts = 0; sys.exit(p.main())"
    )
    one_chkconfig.command = [sys.executable, "-IS", "-c", broken, *one_chkconfig.command]
    check(one_chkconfig("--list"), 70, "this is a defect of ovm-chkconfig (TypeError in ", "ovm_chkconfig.py, line ")


def test_a_python_without_all_of_its_library(one_chkconfig):
    lacking = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.modules['getopt'] = None; import _start"
    one_chkconfig.command = [sys.executable, "-IS", "-c", lacking, *one_chkconfig.command]
    check(one_chkconfig("--list"), 3, "this Python has no module getopt: install its whole standard library")
