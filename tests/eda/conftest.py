# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ansible-rulebook, which make eda names in the environment."""

import contextlib
import json
import os
import signal
import subprocess
import threading

import pytest

from tests.integration.eda import conftest as shared

# Fixtures of those tests are these tests', too.
xenstored, gateway = shared.xenstored, shared.gateway
domids, make_guest, web1, say = shared.domids, shared.make_guest, shared.web1, shared.say

#: Seconds that nothing may take: Java starts slowly where others compute, too.
PATIENCE = 300


class Rulebook:
    """A rulebook at work. A context manager.

    :param folder: where its files are.
    :param command: what to run.
    """

    def __init__(self, folder, command, environment):
        self._changed, self.output, self._killed = threading.Condition(), "", False
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # playbooks and Java end with it
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.kill()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self.output += "(it has ended)\n"
            self._changed.notify_all()

    def await_output(self, text):
        """Wait until it has said something."""
        with self._changed:
            self._changed.wait_for(lambda: text in self.output or "(it has ended)" in self.output, PATIENCE)
        assert text in self.output, self.output

    def end(self):
        """End it as systemd does."""
        self.process.terminate()
        self.wait()

    def wait(self):
        code = self.process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        return code

    def kill(self):
        # Once: later its number may be another's.
        if not self._killed:
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()


@pytest.fixture
def run_rulebook(gateway, tmp_path):  # noqa: F811
    """A function that starts a rulebook: its name in a collection, or its rules and the source's arguments."""
    program = os.environ.get("OVM_RULEBOOK")
    assert program, "make eda runs these tests: it knows where ansible-rulebook is"
    (tmp_path / "inventory").write_text("localhost ansible_connection=local\n")
    started = []

    def start(book, rules=(), options=(), environment=(), **source):
        if rules:
            (tmp_path / book).write_text(
                json.dumps(
                    [
                        {
                            "name": "Guests",
                            "hosts": "all",
                            "sources": [{"name": "guests", "ovm.messaging.vm_message": {"interval": 0.5, **source}}],
                            "rules": [
                                {"name": "rule %d" % number, "condition": condition, "action": action}
                                for number, (condition, action) in enumerate(rules)
                            ],
                        }
                    ]
                )
            )
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        variables.update(gateway.environment(), **dict(environment))
        # Its own ansible-core comes first, and what it starts says at once what it has to say.
        variables.update(PATH=os.path.dirname(program) + ":" + variables["PATH"], PYTHONUNBUFFERED="1")
        command = [program, "--rulebook", book, "--inventory", "inventory", *options]
        started.append(Rulebook(tmp_path, command, variables))
        return started[-1]

    yield start
    for rulebook in started:
        rulebook.kill()
