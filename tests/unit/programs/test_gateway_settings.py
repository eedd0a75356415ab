# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's configuration file, and that its manual has all of it."""

import importlib
import pathlib
import re

import pytest

settings = importlib.import_module("ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway.settings")
Settings, BadSettings = settings.Settings, settings.BadSettings
MANUAL = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "ovm-gateway.md"


@pytest.fixture
def read(tmp_path):
    """A function that reads a configuration from text."""

    def read(text):
        path = tmp_path / "c"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Settings.read(str(path))

    return read


def test_everything_has_a_default(read):
    found = read("")
    assert (found.address, found.port, found.names) == (("*",), 7002, ())
    assert (found.directory, found.users) == ("/var/lib/ovm-gateway", "/etc/ovm-gateway/users")
    assert (found.certificate, found.client_ca, found.body_bytes) == ("", "", 1 << 20)
    assert (found.session_idle_seconds, found.retention_days) == (1800, 90)
    assert found.in_directory("x") == "/var/lib/ovm-gateway/x"


def test_no_two_settings_share_an_attribute():
    count = sum(len(found) for found in settings.SETTINGS.values())
    assert len(vars(Settings())) == count


def test_settings_are_read(read):
    found = read(
        "# a comment\n[server]\naddress = 127.0.0.1, ::1\nport: 0\nnames = gw.example, 192.0.2.1\n"
        "[limits]\nconnections=7\n"
    )
    assert (found.address, found.port) == (("127.0.0.1", "::1"), 0)
    assert (found.names, found.connections) == (("gw.example", "192.0.2.1"), 7)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[server]\nprot = 1", "there is no setting 'prot' in [server]: there are: address, directory, names, port"),
        ("[server]\nPort = 1", "there is no setting 'Port' in [server]"),
        ("[sever]\nport = 1", "there is no section [sever]: there are: limits, retention, server, sessions, tls"),
        ("[DEFAULT]\nport = 1", "there is no section [DEFAULT]"),
        ("port = 1", "File contains no section headers"),
        ("[server]\nport = 1\nport = 2", "option 'port' in section 'server' already exists"),
        ("[server]\nport", "Source contains parsing errors"),
        ("[server]\nport = 65536", "the setting 'port' in [server] is '65536': give a whole number from 0 to 65535"),
        ("[server]\nport = ", "the setting 'port' in [server] is ''"),
        ("[limits]\nconnections = -1", "give a whole number from 1 to 10000"),
        ("[server]\naddress = localhost", "give IP addresses separated by commas, or * for all"),
        ("[server]\nnames = a b", "give host names or IP addresses, separated by commas"),
        ("[server]\ndirectory = relative", "give an absolute path"),
        ("[tls]\ncertificate = /c", "of 'certificate' and 'key' in [tls] only one is set: set both, or neither"),
        (b"[server]\nnames = \xff", "can't decode byte"),
    ],
)
def test_what_is_wrong_is_named(read, tmp_path, text, message):
    with pytest.raises(BadSettings) as problem:
        read(text)
    assert message in str(problem.value) and str(problem.value).startswith(str(tmp_path / "c") + ": ")
    assert "\n" not in str(problem.value)


def test_the_default_file_may_be_missing_and_no_other(tmp_path, monkeypatch):
    with pytest.raises(BadSettings, match="there is no configuration file"):
        Settings.read(str(tmp_path / "none"))
    monkeypatch.setattr(settings, "PATH", str(tmp_path / "none"))
    assert Settings.read(settings.PATH).port == 7002
    with pytest.raises(BadSettings, match="cannot be read"):
        Settings.read(str(tmp_path))


def test_the_manual_has_every_setting_with_its_default():
    """Row by row: | section | setting | default | meaning |"""
    rows = re.findall(r"^\| `\[(\w+)\]` `(\w+)` \| (?:`([^`]*)`)?", MANUAL.read_text("utf-8"), re.MULTILINE)
    documented = {(section, name): default for section, name, default in rows}
    defined = {(s, n): default for s, found in settings.SETTINGS.items() for n, (default, _read) in found.items()}
    assert documented == defined
