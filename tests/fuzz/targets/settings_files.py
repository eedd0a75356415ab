# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of settings: the flag of the first boot, its note, the gateway's own, and the first line of a script."""

import importlib
import json
import os
import pathlib
import tempfile

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import flag, initial, script
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem
from fuzz.checks import only
from fuzz.draw import Draw

_GATEWAY = "ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway."
gateway = importlib.import_module(_GATEWAY + "settings")
users = importlib.import_module(_GATEWAY + "users")

_NAMES = ("INITIAL_CONFIG", "INITIAL_CONFIG_SOURCES", "INITIAL_CONFIG_TIMEOUT", "INITIAL_CONFIG_ON_TIMEOUT")
TOKENS = [("%s=" % name).encode() for name in (*_NAMES, "INITIAL_CONFIG_ON_FAILURE")]
TOKENS += [b"yes", b"no", b"messages console ovf", b"'", b'"', b"export ", b"# ", b"\r\n", b"$(reboot)", b"\xc2\xb2"]
TOKENS += [("[%s]\n" % section).encode() for section in gateway.SETTINGS]
TOKENS += [("%s = " % name).encode() for settings in gateway.SETTINGS.values() for name in settings]
TOKENS += [b"admin:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g\n", b"#!/usr/bin/env python3\n", b'{"of": ']
SEEDS = [
    b"",
    b"INITIAL_CONFIG=yes\n",
    b"# x\nexport INITIAL_CONFIG='no' # y\r\nINITIAL_CONFIG_TIMEOUT=60\nINITIAL_CONFIG_SOURCES=\"ovf, console\"\n",
    b"INITIAL_CONFIG_TIMEOUT=\xc2\xb2\n",
    b"[server]\nport = 7002\naddress = *, ::1\n[retention]\ndays = 90\n",
    b"admin:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g\n# x\n",
    b"#!/usr/bin/env python\n",
    b'{"of": ["", ""], "noted": {"result": {}}}',
]
LONGEST = 70000
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(data):
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY) as folder:
        path = pathlib.Path(folder, "file")
        path.write_bytes(data)
        path.chmod(0o600)
        with only(SourceError):
            _flag(str(path))
        with only(gateway.BadSettings):
            found = gateway.Settings.read(str(path))
            if not 0 <= found.port < 65536 or not found.address or found.body_bytes < 1024:
                raise AssertionError("settings that nobody can follow")
        with only(users.BadUsers):
            for name, stored in users.UsersFile(str(path)).read().items():
                if not name.isascii() or ":" in name or not stored.startswith("$argon2id$"):
                    raise AssertionError("a user who cannot be one: %a" % name)
        path.write_bytes(data)
        _first_line(str(path))
        _note(folder, data)


def _flag(path):
    before = flag.read(path)
    if before.timeout is not None and not 0 < before.timeout < 1e9:
        raise AssertionError("a limit of %r seconds" % before.timeout)
    for wanted in (True, False, True):
        flag.switch(wanted, path)
        after = flag.read(path)
        if after != before._replace(enabled=wanted):
            raise AssertionError("%r became %r" % (before, after))
        if flag.switch(wanted, path):
            raise AssertionError("a second time changes something")
        before = after


def _first_line(path):
    words = script._interpreter(path)
    if any(not word for word in words):
        raise AssertionError("an interpreter without a name")
    command = script._command(path)
    if command[-1] != path or len(command) > 2:
        raise AssertionError("another command than the script: %r" % command)


def _note(folder, data):
    """The note of an earlier process: whatever is there, it is understood or passed over."""
    draw = Draw(data)
    note = initial.Note(folder, os.path.join(folder, "file"))
    place = pathlib.Path(folder, initial.NOTE)
    place.write_bytes(data)
    note.read()
    names = ("result", "secrets", "failed", "scripts", "name", "status", "message", "target")
    tree = {"of": note._of, "noted": draw.tree(names, ("ok", "failed", "configure"))}
    place.write_bytes(json.dumps(tree).encode("ascii"))
    noted = note.read()
    if noted is None:
        return
    first = initial.FirstBoot(
        flag.Settings(True, (), None, flag.CONTINUE, flag.FINISH), os.path.join(folder, "flag"), None, [], note,
        lambda text: None, lambda state, **members: None, lambda has: [has(key) for key in ("a.0", "b")], None, None,
    )  # fmt: skip
    with only(Problem):
        first._finish(noted)
