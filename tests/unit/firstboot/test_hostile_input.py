# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discs, settings, notes and parameters with what nobody would write: found by fuzzing."""

import json
import struct
import time

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import flag, initial, iso9660, log
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import (
    BadParameters,
    BadScript,
    SourceError,
)
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.parameters import (
    parse_enumeration,
    parse_lines,
    parse_object,
)
from fuzz.targets import iso9660_images

SECTOR = 2048
#: Seconds that a machine under load may take for what takes none.
LONG = 20.0


@pytest.mark.parametrize("text", ["\u00b2", "\u2460", "9" * 5000, "\u0663" * 12])
def test_digits_that_are_no_number(tmp_path, text):
    path = tmp_path / "flag"
    path.write_text("INITIAL_CONFIG=yes\nINITIAL_CONFIG_TIMEOUT=%s\n" % text, encoding="utf-8")
    with pytest.raises(SourceError, match="line 2: INITIAL_CONFIG_TIMEOUT has a value that it cannot have"):
        flag.read(str(path))
    with pytest.raises(log.BadSetting, match="there is no log level"):
        log.parse_level(text)


def test_a_setting_with_very_many_blanks_takes_no_time(tmp_path):
    path = tmp_path / "flag"
    path.write_bytes(b"INITIAL_CONFIG=" + b" " * 65000 + b"x")
    began = time.monotonic()
    with pytest.raises(SourceError):
        flag.read(str(path))
    assert time.monotonic() - began < LONG
    path.write_bytes(b"INITIAL_CONFIG=yes" + b" \t" * 30000 + b"\r\n")
    assert flag.read(str(path)).enabled and time.monotonic() - began < LONG


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\udfff": "a"}', '{"a": "\\udc7f"}'])
def test_parameters_with_halves_of_characters(text):
    with pytest.raises(BadParameters, match="has text that is not valid Unicode: give it in UTF-8"):
        parse_object(text, "it")
    with pytest.raises(BadParameters, match="line 2 of the parameters has text that is not valid Unicode"):
        parse_lines(b"\n" + text.encode("ascii"))


def test_bytes_that_are_no_text_are_still_parameters():
    assert parse_object('{"a": "\\udc80"}', "it") == {"a": "\udc80"}


@pytest.mark.parametrize(
    "about", [{"key": "\ud800"}, {"key": "a", "description": "\ud800"}, {"key": "a", "choices": ["\ud800"]}]
)
def test_descriptions_with_halves_of_characters(about):
    with pytest.raises(BadScript, match="the script 'network' has text that is not valid Unicode"):
        parse_enumeration(json.dumps([about]), "network")


@pytest.mark.parametrize(
    "noted",
    [
        None,
        "text",
        {},
        {"result": {}, "secrets": []},
        {"result": {"target": "configure", "failed": [], "scripts": [{}]}, "secrets": []},
        {"result": {"target": "configure", "failed": [1], "scripts": []}, "secrets": []},
        {"result": {"target": "configure", "failed": [], "scripts": []}, "secrets": [{}]},
        {"result": {"target": "configure", "failed": [], "scripts": []}},
    ],
)
def test_a_note_that_makes_no_sense_is_none(tmp_path, noted):
    note = initial.Note(str(tmp_path), str(tmp_path / "flag"))
    (tmp_path / initial.NOTE).write_text(json.dumps({"of": note._of, "noted": noted}))
    assert note.read() is None
    (tmp_path / initial.NOTE).write_text("[" * 100000)
    assert note.read() is None


def test_names_that_are_continued_again_and_again_take_no_time(tmp_path):
    # Each name of this folder leads through the same sector of empty entries, to itself.
    elsewhere = iso9660_images._entry(
        b"CE", iso9660_images._both(22) + iso9660_images._both(0) + iso9660_images._both(SECTOR)
    )
    record = iso9660_images._record(b"A", 23, 1, 0, elsewhere)
    folder = (record * (SECTOR // len(record))).ljust(SECTOR, b"\0") * 120
    image = bytearray(iso9660_images.IMAGE[: 24 * SECTOR]) + folder
    root = (
        struct.pack("<I", 24) + struct.pack(">I", 24) + struct.pack("<I", len(folder)) + struct.pack(">I", len(folder))
    )
    image[16 * SECTOR + 158 : 16 * SECTOR + 174] = root
    image[22 * SECTOR : 23 * SECTOR] = (b"XX\4\1" * 505 + elsewhere).ljust(SECTOR, b"\0")
    path = tmp_path / "disc.iso"
    path.write_bytes(image)
    reads = []
    usual = iso9660.os.pread

    def counted(file, size, at):
        reads.append(size)
        return usual(file, size, at)

    iso9660.os.pread = counted
    try:
        with pytest.raises(SourceError, match="is damaged: it has a name's continuation of 2048 bytes, [0-9]+ in all"):
            iso9660.read(str(path), "ovf-env.xml", 1 << 20)
    finally:
        iso9660.os.pread = usual
    assert sum(reads) < 1 << 20
