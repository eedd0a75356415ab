# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd unit of the first boot."""

import pathlib
import shutil
import subprocess

import jinja2
import pytest

TEMPLATES = pathlib.Path(__file__).parents[3] / "roles" / "ovmd" / "templates"
NAME = "ovm-template-initial-config.service"


@pytest.fixture
def unit(tmp_path):
    """The unit as the role would write it, for a program that is there."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, autoescape=False)
    program = tmp_path / "ovm-template-config"
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    values = {"ansible_managed": "by the role", "__ovmd_flag": "/etc/sysconfig/flag", "ovmd_program_dir": str(tmp_path)}
    path = tmp_path / NAME
    path.write_text(environment.get_template(NAME + ".j2").render(values) + "\n", encoding="utf-8")
    return path


def settings(unit):
    """All settings: name -> words of all its lines."""
    found = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).extend(value.split())
    return found


def test_what_comes_before_and_after(unit):
    found = settings(unit)
    assert {"sysinit.target", "local-fs.target", "dbus.socket", "ovmd.service"} <= set(found["After"])
    assert {"network-pre.target", "systemd-user-sessions.service", "getty.target", "shutdown.target"} <= set(
        found["Before"]
    )
    # Without this, network-pre.target would be in no boot that has no firewall.
    assert found["Wants"] == ["network-pre.target"]
    # A script that makes D-Bus start one of these must not wait for what waits for the script.
    assert not {"dbus.service", "systemd-logind.service", "basic.target"} & set(found["Before"] + found["After"])


def test_it_may_take_its_time(unit):
    found = settings(unit)
    assert found["Type"] == ["oneshot"] and found["RemainAfterExit"] == ["yes"] and found["TimeoutStartSec"] == ["0"]
    assert found["ExecStart"] == [str(unit.parent / "ovm-template-config"), "--initial-config"]
    assert found["ConditionPathExists"] == ["/etc/sysconfig/flag"]
    # A machine without a console starts it, too: with StandardInput=tty it would not.
    assert found["StandardInput"] == ["null"] and found["TTYReset"] == ["yes"] and found["TTYPath"] == ["/dev/console"]


def test_systemd_has_nothing_against_it(unit):
    """Where there is a systemd to be asked."""
    verify = shutil.which("systemd-analyze")
    done = subprocess.run(
        [verify, "verify", str(unit)] if verify else ["true"], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if NAME in line]
    assert (done.returncode, complaints) == (0, []), done.stderr
