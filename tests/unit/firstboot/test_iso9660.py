# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discs made by genisoimage, whole ones and broken ones."""

import os
import random
import struct
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import iso9660
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from lab import parts

NAME, LIMIT = "ovf-env.xml", 1 << 20
CONTENT = b"<Environment/>" * 300
SECTOR = 2048
KINDS = {"plain": [], "joliet": ["-J"], "rock ridge": ["-R"], "both": ["-J", "-R"], "level 3": ["-iso-level", "3"]}


@pytest.fixture(scope="session")
def make_disc(tmp_path_factory):
    """A function that makes an image of a disc with these files."""
    command, environment = parts.genisoimage()

    def make(files, *options):
        place = tmp_path_factory.mktemp("disc")
        (place / "top").mkdir()
        for name, content in files.items():
            path = place / "top" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        image = place / "disc.iso"
        made = [*command, "-quiet", *options, "-o", str(image), str(place / "top")]
        subprocess.run(made, env=environment, check=True, capture_output=True)
        return image

    return make


@pytest.fixture(scope="session")
def discs(make_disc):
    """An image of each kind."""
    files = {"a.txt": b"a", NAME: CONTENT, "folder/" + NAME: b"of a folder"}
    return {kind: make_disc(files, *options) for kind, options in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_found_on_every_kind_of_disc(discs, kind):
    path = str(discs[kind])
    assert iso9660.read(path, NAME, LIMIT) == CONTENT
    assert iso9660.read(path, "OVF-ENV.XML", LIMIT) == CONTENT
    assert iso9660.read(path, "ovf-environment.xml", LIMIT) is None
    assert iso9660.read(path, "folder", LIMIT) is None
    with pytest.raises(SourceError, match="ovf-env.xml in .* has more than 100 bytes: see what made this disc"):
        iso9660.read(path, NAME, 100)


def test_long_names_and_many_files(make_disc):
    files = {"%04d-%s" % (number, "x" * 60): b"%d" % number for number in range(300)}
    files["a-name-that-is-longer-than-what-one-entry-holds-" + "y" * 190] = b"long"
    for option in "-R", "-J":
        disc = make_disc(files, option, *(["-joliet-long"] if option == "-J" else []))
        name = list(files)[-1 if option == "-R" else -2]
        assert iso9660.read(str(disc), name, LIMIT) == files[name]


def test_a_mounted_disc(tmp_path):
    (tmp_path / "OVF_ENV.XML").write_bytes(CONTENT)
    assert iso9660.read(str(tmp_path), NAME, LIMIT) == CONTENT
    assert iso9660.read(str(tmp_path), "another.xml", LIMIT) is None
    with pytest.raises(SourceError, match="has more than 10 bytes"):
        iso9660.read(str(tmp_path), NAME, 10)


def test_a_link_on_a_mounted_disc_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc" / NAME).symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="ovf-env.xml in .*/disc is no file"):
        iso9660.read(str(tmp_path / "disc"), NAME, LIMIT)


def test_where_there_is_no_disc(tmp_path):
    for content in b"", b"x" * 100, b"x" * 100000:
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(iso9660.NoDisc, match="there is no ISO 9660 disc in .*/file"):
            iso9660.read(str(tmp_path / "file"), NAME, LIMIT)
    with pytest.raises(iso9660.NoDisc, match="there is no disc in /no/device .No such file or directory."):
        iso9660.read("/no/device", NAME, LIMIT)
    with pytest.raises(iso9660.NoDisc, match="neither a device, nor an image, nor a folder"):
        iso9660.read("/dev/null", NAME, LIMIT)
    os.mkfifo(tmp_path / "pipe")  # nobody writes: a plain open would wait for ever
    with pytest.raises(iso9660.NoDisc):
        iso9660.read(str(tmp_path / "pipe"), NAME, LIMIT)


def test_a_drive_that_fails(discs, monkeypatch):
    def fail(*_arguments):
        raise OSError(123, "No medium found")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(iso9660.NoDisc, match="no disc can be read in .* .No medium found."):
        iso9660.read(str(discs["plain"]), NAME, LIMIT)
    monkeypatch.setattr(os, "pread", lambda *_arguments: b"")
    with pytest.raises(SourceError, match="is damaged: it has nothing at byte 32768"):
        iso9660.read(str(discs["plain"]), NAME, LIMIT)


def damaged(tmp_path, image, changes):
    """A copy of an image with bytes changed: {offset: bytes}."""
    data = bytearray(image.read_bytes())
    for at, content in changes.items():
        data[at : at + len(content)] = content
    path = tmp_path / "damaged.iso"
    path.write_bytes(data)
    return str(path)


def place(image, root_at=16 * SECTOR + 156):
    """Where the top folder's record of the file is."""
    data = image.read_bytes()
    start = struct.unpack_from("<I", data, root_at + 2)[0] * SECTOR
    size = struct.unpack_from("<I", data, root_at + 10)[0]
    at = start
    while at < start + size:
        if b"OVF_ENV.XML" in data[at + 33 : at + data[at]]:
            return start, at
        at += data[at]
    raise AssertionError("not found")


HUGE = struct.pack("<I", 0xFFFFFFFF)
ROOT = 16 * SECTOR + 156


@pytest.mark.parametrize(
    "where, content, text",
    [
        (16 * SECTOR + 128, b"\0\0", "blocks of 0 bytes"),
        (16 * SECTOR + 128, b"\x01\x10", "blocks of 4097 bytes"),
        (ROOT + 2, HUGE, "something at byte 8796093"),  # the top folder lies behind the end
        (ROOT + 10, HUGE, "a top folder of 4294967295 bytes"),
        ("folder", b"\x05", "a folder's record of 5 bytes"),
        (("record", 32), b"\xff", "a folder's record of"),
        (("record", 2), HUGE, "something at byte"),
        (("record", 10), HUGE, "more than 1048576 bytes"),
        (("record", 10), struct.pack("<I", 1 << 20), "something at byte"),
        (("record", 25), b"\x80", "a document in several pieces"),
        (("record", 26), b"\x01", "a document in several pieces"),
    ],
)
def test_a_disc_that_lies(discs, tmp_path, where, content, text):
    image = discs["plain"]
    folder, record = place(image)
    if where == "folder":
        where = folder
    elif where == "record":
        where = record
    elif isinstance(where, tuple):
        where = record + where[1]
    path = damaged(tmp_path, image, {where: content})
    with pytest.raises(SourceError, match=text):
        iso9660.read(path, NAME, LIMIT)


def test_a_disc_that_ends_too_early(discs, tmp_path):
    data = discs["plain"].read_bytes()
    path = tmp_path / "short.iso"
    last = 0
    for sectors in range(1, len(data) // SECTOR):
        path.write_bytes(data[: sectors * SECTOR])
        try:
            assert iso9660.read(str(path), NAME, LIMIT) == CONTENT
        except SourceError as problem:
            assert "something at byte" in str(problem) or "there is no ISO 9660 disc" in str(problem)
            last = sectors
    assert last >= 18  # and all that is missing behind the file does not matter


def test_descriptors_without_an_end(discs, tmp_path):
    image = discs["plain"]
    path = damaged(tmp_path, image, {n * SECTOR: b"\x03CD001" for n in range(16, 160)})
    assert iso9660.read(path, NAME, LIMIT) is None
    path = damaged(tmp_path, image, {17 * SECTOR: b"x" * 6, 16 * SECTOR: b"\x03"})
    assert iso9660.read(path, NAME, LIMIT) is None


def test_a_name_that_goes_round_in_circles(discs, tmp_path):
    """Each continuation names itself as the next one."""
    image = discs["rock ridge"]
    _folder, record = place(image)
    data = image.read_bytes()
    area = record + 33 + data[record + 32]
    area += (area - record) % 2
    circle = b"NM\x06\x01\0x" + b"CE\x1c\x01" + struct.pack("<IIIIII", area // SECTOR, 0, area % SECTOR, 0, 34, 0)
    path = damaged(tmp_path, image, {area: circle[: record + data[record] - area].ljust(34, b"\0")[:34]})
    assert iso9660.read(path, NAME, LIMIT) is None
    too_long = b"CE\x1c\x01" + struct.pack("<IIIIII", 0, 0, 0, 0, 1 << 20, 0)
    with pytest.raises(SourceError, match="a name's continuation of 1048576 bytes"):
        iso9660.read(damaged(tmp_path, image, {area: too_long}), NAME, LIMIT)


@pytest.mark.parametrize("kind", ["plain", "both"])
def test_no_damage_does_worse_than_an_error(discs, tmp_path, kind):
    """Random bytes in descriptors and folders: an answer or an error, at once."""
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    image = discs[kind]
    for _unused in range(300):
        spots = [16 * SECTOR + chance.randrange(12 * SECTOR) for _n in range(chance.randrange(1, 40))]
        path = damaged(
            tmp_path, image, {at: bytes([chance.choice((0, 1, 255, chance.randrange(256)))]) for at in spots}
        )
        try:
            found = iso9660.read(path, NAME, LIMIT)
            assert found is None or len(found) <= LIMIT
        except SourceError:
            pass
