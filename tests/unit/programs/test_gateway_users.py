# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's users: the file, and proving a password."""

import importlib
import os
import threading

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

users = importlib.import_module("ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway.users")
UsersFile, Users, BadUsers = users.UsersFile, users.Users, users.BadUsers


def cheap(password):
    return Argon2id(salt=b"x" * 16, length=32, iterations=1, lanes=1, memory_cost=8).derive_phc_encoded(password)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(users, "_MEMORY", 32)  # KiB: what the rest costs is the same
    return UsersFile(str(tmp_path / "new" / "users"))


def test_adding_and_removing(file):
    assert file.read() == {}
    assert file.add("b", b"1") and file.add("a", b"2") and not file.add("b", b"3")
    assert list(file.read()) == ["a", "b"]
    assert users.fits(b"3", file.read()["b"]) and not users.fits(b"1", file.read()["b"])
    assert os.listdir(os.path.dirname(file.path)) == ["users"]
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    file.remove("b")
    assert list(file.read()) == ["a"]
    with pytest.raises(users.NoSuchUser):
        file.remove("b")


def test_two_who_add_at_once_lose_nobody(file):
    names = ["user%d" % number for number in range(8)]
    threads = [threading.Thread(target=file.add, args=(name, b"x")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(file.read()) == names


@pytest.mark.parametrize("name", ["", "a:b", "a b", "-a", "a\n", "ü", "a" * 65, "a/b"])
def test_names_that_cannot_be(file, name):
    with pytest.raises(BadUsers, match="cannot be a user's name"):
        file.add(name, b"x")


@pytest.mark.parametrize("line", ["admin", "admin:", "admin:plain", "a b:" + cheap(b"x"), "\xff", "a:" + cheap(b"x")])
def test_lines_that_make_no_sense(file, line):
    file.add("a", b"x")
    with open(file.path, "ab") as stream:
        stream.write(b"# a comment\n\n" + line.encode("latin-1") + b"\n")
    with pytest.raises(BadUsers, match="^line 4 of the users file"):
        file.read()


def test_a_file_that_others_may_read_or_own(file):
    file.add("a", b"x")
    for mode in (0o640, 0o604):
        os.chmod(file.path, mode)
        with pytest.raises(BadUsers, match="chmod it to 600"):
            file.read()
        with pytest.raises(BadUsers):
            file.add("b", b"x")


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadUsers, match="cannot be changed"):
        UsersFile(str(tmp_path / "file" / "users")).add("a", b"x")
    with pytest.raises(BadUsers, match="cannot be read"):
        UsersFile(str(tmp_path)).read()


def test_a_proof_is_remembered_for_a_while(file):
    now = [0.0]
    file.add("a", b"1")
    known = Users(file, None, keep=10.0, clock=lambda: now[0])
    assert not known.proved("a", b"1") and known.prove("a", b"1")
    assert known.proved("a", b"1") and not known.proved("a", b"2") and not known.proved("b", b"1")
    assert not known.prove("a", b"2") and not known.proved("a", b"2")
    now[0] = 10.0
    assert not known.proved("a", b"1")
    known.prove("a", b"1")
    file.add("a", b"1")  # the same password, of another hash
    assert not known.proved("a", b"1") and known.prove("a", b"1")
    file.remove("a")
    assert not known.proved("a", b"1") and not known.prove("a", b"1") and known.stored("a") is None


def test_an_unknown_user_costs_as_much(file, monkeypatch):
    computed = []
    fits = users.fits
    monkeypatch.setattr(users, "fits", lambda password, stored: computed.append(stored) or fits(password, stored))
    known = Users(file, None)
    assert not known.prove("nobody", b"1") and computed == []  # there is nobody at all
    file.add("a", b"1")
    assert not known.prove("nobody", b"1") and computed == [known.stored("a")]
    assert not known.prove("a", b"x" * 2000) and len(computed) == 1  # too long to be anybody's


def test_a_file_that_turns_bad_lets_nobody_in_and_is_told_once(file):
    told = []
    file.add("a", b"1")
    known = Users(file, told.append)
    assert known.stored("a")
    with open(file.path, "a") as stream:
        stream.write("nonsense\n")
    assert known.stored("a") is None and known.stored("a") is None and len(told) == 1
    os.unlink(file.path)
    assert known.stored("a") is None
    file.add("a", b"1")
    assert known.stored("a")
