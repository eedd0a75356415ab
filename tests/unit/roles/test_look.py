# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles find out about a system in one go."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from toolchain import ROOT


def look(role, *arguments, path=None):
    """What look.sh finds, as the roles read it."""
    script = pathlib.Path(ROOT, "roles", role, "files", "look.sh").read_text()
    done = subprocess.run(
        ["sh", "-s", *map(str, arguments)],
        input=script, capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path or os.environ["PATH"]),
    )  # fmt: skip
    assert done.stderr == ""
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def tools(tmp_path):
    """A PATH with next to nothing, and a function that adds a tool to it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "sed", "head", "grep", "cut", "stat", "sha256sum", "test"):
        (folder / name).symlink_to(shutil.which(name))

    def add(name, text):
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(0o755)

    add.path = str(folder)
    return add


def test_a_guest_with_nothing(tools, tmp_path):
    found = look("ovmd", tmp_path, tmp_path / "no file", "--", "/no/python", path=tools.path)
    assert found.pop("booted") in ("yes", "no") and found.pop("settings") in ("yes", "no")
    assert found == {"systemd": "0", "vendor": "no", "labels": "no", "installed": "no", "owner": ""}


def test_a_guest_with_all(tools, tmp_path):
    tools("systemctl", "echo 'systemd 252 (252.39-1~deb12u1)'; echo '+PAM +AUDIT'\n")
    tools("rpm", 'case "$*" in *--file*) echo ovmd-1; echo other;; esac\n')
    (tmp_path / "ovmd").write_text("")
    settings = tmp_path / "settings"
    settings.write_text("INITIAL_CONFIG=no\nINITIAL_CONFIG_TIMEOUT=0\nINITIAL_CONFIG=yes=\n")
    settings.chmod(0o640)
    (tmp_path / "link").symlink_to(settings)
    pythons = "/no/python", "/bin/false", sys.executable, "/usr/bin/python3"
    found = look("ovmd", tmp_path, settings, tmp_path / "link", "--", *pythons, path=tools.path)
    assert (found["systemd"], found["vendor"], found["installed"], found["owner"]) == ("252", "yes", "yes", "ovmd-1")
    checksum = hashlib.sha256(settings.read_bytes()).hexdigest()
    assert found[str(settings)] == "%s 640 %d:%d" % (checksum, os.getuid(), os.getgid())
    # The last one holds, as for the shell. A link is nothing to compare.
    assert found["flag of %s" % settings] == "yes=" and str(tmp_path / "link") not in found
    assert found["python"] == sys.executable


def test_what_no_package_owns(tools, tmp_path):
    """rpm says so on its standard output."""
    tools("rpm", "echo 'file is not owned by any package'; exit 1\n")
    (tmp_path / "ovmd").write_text("")
    found = look("ovmd", tmp_path, "--", path=tools.path)
    assert (found["owner"], found["vendor"], "python" in found) == ("", "no", False)


def test_a_host(tools, tmp_path):
    tools("systemctl", "echo 'systemd 239 (239-82.el8)'\n")
    file, link, missing = tmp_path / "file", tmp_path / "link", tmp_path / "missing"
    file.write_text("[server]\n")
    file.chmod(0o644)
    link.symlink_to(missing)
    tmp_path.chmod(0o755)
    found = look("ovm_gateway", sys.executable, file, link, missing, tmp_path, path=tools.path)
    whose = "%d:%d" % (os.getuid(), os.getgid())
    assert found.pop("booted") in ("yes", "no")
    assert found == {
        "systemd": "239",
        "python": "yes",
        str(file): "%s 644 %s" % (hashlib.sha256(b"[server]\n").hexdigest(), whose),
        str(link): "symbolic link 777 " + whose,
        str(tmp_path): "directory 755 " + whose,
    }
    assert look("ovm_gateway", "/bin/false", path=tools.path)["python"] == "no"
