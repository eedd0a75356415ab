# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway where its files cannot be written, or its process has no room: what it says, and what it leaves."""

import asyncio
import errno
import importlib
import logging
import os
import socket

import pytest

PACKAGE = "ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway."
files = importlib.import_module(PACKAGE + "files")
server = importlib.import_module(PACKAGE + "server")


def test_what_a_kill_has_left_of_a_file_goes_with_the_next_one(tmp_path):
    left = tmp_path / "address.new"
    left.write_text("half of")
    left.chmod(0o644)
    files.replace(str(tmp_path / "address"), b"whole")
    assert os.listdir(tmp_path) == ["address"]
    assert (tmp_path / "address").read_bytes() == b"whole"
    assert (tmp_path / "address").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path):
    (tmp_path / "address").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(str(tmp_path / "address"), b"whole")
    assert os.listdir(tmp_path) == ["address"]


def test_a_file_that_cannot_be_written_is_named_with_reason_and_remedy(tmp_path):
    path = tmp_path / "address"
    path.mkdir()
    with pytest.raises(server.CannotServe) as caught:
        server._write(str(path), "127.0.0.1:7002")
    assert str(caught.value).startswith("%s cannot be written (Is a directory): see that " % path)


def test_too_many_open_files_are_told_without_a_traceback(caplog):
    """As asyncio tells of it when a connection cannot be accepted."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(server._left_over)
    try:
        with socket.socket() as listening, caplog.at_level(logging.ERROR):
            problem = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            message = "socket.accept() out of system resource"
            loop.call_exception_handler({"message": message, "exception": problem, "socket": listening})
            loop.call_exception_handler({"message": "odd", "exception": ValueError("a secret")})
            loop.call_exception_handler({"message": "odder"})
            try:
                raise ValueError("a secret")
            except ValueError as raised:
                loop.call_exception_handler({"message": "oddest", "exception": raised})
    finally:
        loop.close()
    first, second, third, fourth = [record.getMessage() for record in caplog.records]
    assert first.startswith("connections cannot be accepted at present (Too many open files): raise the limit")
    assert second == "odd (ValueError)"
    assert third == "odder (-)"
    assert fourth.startswith("oddest (ValueError in %s, line " % __file__)
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text
