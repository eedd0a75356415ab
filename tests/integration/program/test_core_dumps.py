# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No program that holds secrets leaves an image of its memory, even where the system would have it."""

import os
import pathlib
import resource
import select
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
#: Seconds after which a program counts as hanging.
PATIENCE = 60
#: Runs a program whose standard input is a pipe, so that it waits there for what is given to it.
PROGRAMS = {
    "ovmd": ("programs/ovmd", ["--set-secret=k"]),
    "ovm-template-config": ("programs/ovm-template-config", ["--stdin", "configure"]),
    "ovm_vmmessage": (
        "programs/ovm_vmmessage",
        ["-u", "admin", "-E", "-v", "web1", "-k", "k", "--value-from-stdin"],
    ),
    "ovm-gateway": ("programs/ovm-gateway", ["user", "add", "admin"]),
}


def _crashed(command, place, environment, started):
    """Whether there was a core dump of a process that was ended by SIGABRT while it waited for its input."""

    def allow():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    reading, writing = os.pipe()
    # It is told when the program reads: what is given does not fit into the pipe otherwise.
    filled = 0
    os.set_blocking(writing, False)
    while True:
        try:
            filled += os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    process = subprocess.Popen(
        command, stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=place, env=environment,
        preexec_fn=allow,
    )  # fmt: skip
    try:
        assert select.select([], [writing], [], PATIENCE)[1], "it reads nothing"
        started(process)
        os.kill(process.pid, signal.SIGABRT)
        status = os.waitpid(process.pid, 0)[1]
    finally:
        os.close(reading)
        os.close(writing)
        process.returncode = 0
        process.stderr.close()
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT, status
    return os.WCOREDUMP(status)


def _limit(process):
    lines = pathlib.Path("/proc/%d/limits" % process.pid).read_text().splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max core file size"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_crash_leaves_no_core_dump(name, tmp_path):
    program, arguments = PROGRAMS[name]
    configuration = tmp_path / "gateway.conf"
    configuration.write_text("[server]\nusers = %s\n" % (tmp_path / "users"))
    (tmp_path / "template.d/configure.d").mkdir(parents=True)
    environment = dict(
        os.environ,
        OVM_STATE_DIR=str(tmp_path / "state"),
        OVM_PASSWORD="Xq7-password",
        OVM_TEMPLATE_DIR=str(tmp_path / "template.d"),
        OVM_TEMPLATE_LOG="",
        OVM_TEMPLATE_LOCK=str(tmp_path / "lock"),
    )
    if name == "ovm-gateway":
        arguments = [*arguments, "--config", str(configuration)]
    limits = []
    dumped = _crashed(
        [sys.executable, str(ROOT / program), *arguments], tmp_path, environment, lambda p: limits.append(_limit(p))
    )
    assert limits == ["1"] and not dumped
    assert not list(tmp_path.glob("core*"))


def test_these_tests_would_see_a_core_dump(tmp_path):
    """Where the system allows none at all, the limit still tells."""
    limits = []
    command = [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"]
    _crashed(command, tmp_path, dict(os.environ), lambda process: limits.append(_limit(process)))
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert limits == ["unlimited" if hard == resource.RLIM_INFINITY else str(hard)]
