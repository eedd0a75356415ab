# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system of files in a folder, and tools for it.

The tools are stand-ins, see tools.py: what they change are the real files in the folder. There are no other
commands than these in a test, so nothing can reach the machine's own system.
"""

import json
import pathlib
import sys

import pytest

from templateconfig.stock import machine as stock_machine
from templateconfig.stock.parameters import PREFIX

_TOOLS = pathlib.Path(__file__).parent / "tools.py"

_FILES = {
    "etc/os-release": 'ID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.6"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:2:2::/:/sbin/nologin\n"
    "oracle:x:1000:1000::/home/oracle:/bin/bash\n",
    "etc/group": "root:x:0:\ndaemon:x:2:\nwheel:x:10:oracle\nusers:x:100:\noracle:x:1000:\ndba:x:1001:oracle\n",
    "etc/shadow": "root:!:19000:0:99999:7:::\ndaemon:*:19000::::::\noracle:!:19000:0:99999:7:::\n",
    "etc/login.defs": "UID_MIN   1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\nENCRYPT_METHOD SHA512\n",
}


class System:
    """The system of a test.

    :ivar pathlib.Path root: where its files are.
    """

    def __init__(self, folder, monkeypatch):
        self._folder, self._monkeypatch = folder, monkeypatch
        self.root = folder / "root"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.write(_FILES)
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("FAKE", str(folder))

    def write(self, files):
        """Have files: ``{path: text or bytes}``."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, name):
        return (self.root / name).read_text()

    def tools(self, *names):
        """Have commands."""
        for name in names:
            path = self.bin / name
            path.write_text(f"#!{sys.executable} -IS\n" + _TOOLS.read_text())
            path.chmod(0o755)

    def fail(self, tool, complaint="no", code=1):
        """Let a command fail from now on."""
        (self._folder / f"{tool}.fail").write_text(json.dumps([code, complaint]))

    @property
    def calls(self):
        """The command lines so far of the tools that change something."""
        path = self._folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def boot(self):
        """Let it look as if systemd ran it."""
        (self.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        self.tools("systemctl")

    def service(self, name, enabled=False, active=False):
        """Have a service installed."""
        self.write({f"usr/lib/systemd/system/{name}.service": ""})
        for folder, on in (("enabled", enabled), ("active", active)):
            if on:
                self.write({f"run/fake/{folder}/{name}.service": ""})

    def snapshot(self):
        """All files with content, mode and time; what a run that changes nothing leaves as it is."""
        return {
            path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
            for path in self.root.rglob("*")
        }

    def machine(self, check=False, live=None):
        return stock_machine.Machine(str(self.root), check=check, live=live)

    def run(self, function, parameters=(), live=None):
        """Run a script's function: in check mode, really, and again.

        Check mode must change nothing and foretell exactly what is changed then; the second real run must change
        nothing.

        :param dict parameters: keys without the prefix.
        :returns: the changes.
        """
        given = {PREFIX + key: value for key, value in dict(parameters).items()}
        before, calls = self.snapshot(), self.calls
        check = self.machine(True, live)
        function(check, dict(given))
        assert self.snapshot() == before
        assert self.calls == calls
        really = self.machine(False, live)
        function(really, dict(given))
        assert really.changes == check.changes
        again = self.machine(False, live)
        after = self.snapshot()
        function(again, dict(given))
        assert again.changes == []
        assert self.snapshot() == after
        return really.changes

    def refused(self, function, parameters, live=None):
        """Run a script's function that fails, and see that nothing was changed.

        :returns: what it says.
        """
        before, calls = self.snapshot(), self.calls
        with pytest.raises(stock_machine.Failed) as failed:
            function(self.machine(False, live), {PREFIX + key: value for key, value in parameters.items()})
        assert self.snapshot() == before
        assert self.calls == calls
        return str(failed.value)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A System of an Oracle Linux, without any tool."""
    return System(tmp_path, monkeypatch)
