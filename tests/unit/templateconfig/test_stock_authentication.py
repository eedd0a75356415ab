# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script authentication. The hashes are libcrypt's own; chpasswd is a stand-in that writes the real file."""

import pytest

from templateconfig.stock import authentication, passwords

SECRET = "Tr0ub4dor:&3 ä"


def hashed(system, user="root"):
    return passwords.hash_of(system.machine(), user)


@pytest.fixture
def crypt():
    crypt = passwords._Crypt.load()
    assert crypt is not None
    return crypt


@pytest.fixture
def no_crypt(monkeypatch):
    """A Python without ctypes, as a minimal Debian has it."""
    monkeypatch.setattr(passwords._Crypt, "_loaded", [None])


def test_nothing_is_asked_for(system):
    assert system.run(authentication.configure) == []
    assert system.run(authentication.configure, {"root-password": ""}) == []


def test_a_password_is_set_as_a_hash(system, crypt):
    system.tools("chpasswd")
    assert system.run(authentication.configure, {"root-password": SECRET}) == ["set the password of root"]
    assert hashed(system).startswith("$6$")
    assert crypt.hash(SECRET, hashed(system)) == hashed(system).encode()
    assert system.calls == [["chpasswd", "--root", str(system.root), "--encrypted"]]


def test_another_password_is_set_over_it(system, crypt):
    system.tools("chpasswd")
    system.run(authentication.configure, {"root-password": SECRET})
    assert system.run(authentication.configure, {"root-password": "other"}) == ["set the password of root"]
    assert crypt.hash("other", hashed(system)) == hashed(system).encode()


def test_bytes_that_are_not_utf_8_are_a_password_too(system, crypt):
    system.tools("chpasswd")
    assert system.run(authentication.configure, {"root-password": "gr\udcfcn"}) == ["set the password of root"]
    assert crypt.hash("gr\udcfcn", hashed(system)) == hashed(system).encode()


@pytest.mark.parametrize(
    "method, start",
    [
        ("SHA256", "$5$"),
        ("YESCRYPT", "$y$"),
        ("yescrypt", "$y$"),
        ("BCRYPT", "$2b$"),
        ("DES", "$6$"),
        ("MD5", "$6$"),
    ],
)
def test_the_system_says_how_to_hash_unless_that_is_weak(system, crypt, method, start):
    system.tools("chpasswd")
    system.write({"etc/login.defs": f"#ENCRYPT_METHOD X\nENCRYPT_METHOD {method}\n"})
    system.run(authentication.configure, {"root-password": SECRET})
    assert hashed(system).startswith(start)
    assert crypt.hash(SECRET, hashed(system)) == hashed(system).encode()


def test_without_libxcrypt_s_salts_there_are_our_own(system, crypt, monkeypatch):
    monkeypatch.setattr(crypt, "_gensalt", None)
    system.tools("chpasswd")
    system.run(authentication.configure, {"root-password": SECRET})
    assert hashed(system).startswith("$6$")
    assert len(hashed(system).split("$")[2]) == 16


def test_without_libcrypt_chpasswd_hashes(system, no_crypt):
    system.tools("chpasswd")
    machine = system.machine()
    for _time in range(2):  # nobody can tell whether it is the same
        authentication.configure(machine, {"com.oracle.linux.root-password": "geheim"})
    assert machine.changes == ["set the password of root"] * 2
    assert hashed(system) == "$6$mieheg"
    assert system.calls[0] == ["chpasswd", "--root", str(system.root)]


def test_neither_ctypes_nor_libcrypt(monkeypatch):
    import builtins

    real = builtins.__import__

    def without_ctypes(name, *arguments):
        if name == "ctypes":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(passwords, "_LIBRARIES", ("libnone.so.1",))
    assert passwords._Crypt._find() is None
    monkeypatch.setattr(builtins, "__import__", without_ctypes)
    assert passwords._Crypt._find() is None


def test_a_hash_is_taken_as_it_is(system, crypt):
    given = crypt.hash("geheim", "$6$saltsalt$").decode()
    system.tools("chpasswd")
    assert system.run(authentication.configure, {"root-password": given}) == ["set the password of root"]
    assert hashed(system) == given
    # the password of the same hash is no change, either
    assert system.run(authentication.configure, {"root-password": "geheim"}) == []


def test_a_locked_root_is_unlocked_by_the_same_password(system, crypt):
    given = crypt.hash("geheim", "$6$saltsalt$").decode()
    system.write({"etc/shadow": f"root:!{given}:19000::::::\n"})
    system.tools("chpasswd")
    assert system.run(authentication.configure, {"root-password": "geheim"}) == ["set the password of root"]
    assert crypt.hash("geheim", hashed(system)) == hashed(system).encode()


@pytest.mark.parametrize(
    "value",
    [
        "$6$saltsalt$" + "x" * 86,
        "$6$rounds=5000$saltsalt$" + "x" * 86,
        "$5$saltsalt$" + "x" * 43,
        "$1$saltsalt$" + "x" * 22,
        "$2b$12$" + "x" * 53,
        "$y$j9T$salt$" + "x" * 43,
    ],
)
def test_what_is_a_hash(value):
    assert passwords.is_hash(value)
    assert not passwords.is_hash(value + "x")
    assert not passwords.is_hash(value[:-1] + ":")


@pytest.mark.parametrize("value", ["$6$", "$ecret", "$6$salt$short", "x", "$1$two$parts", "5$4$3$2$1$"])
def test_what_is_no_hash(value):
    assert not passwords.is_hash(value)


@pytest.mark.parametrize(
    "value, complaint",
    [
        ("a\nb", "more than one line"),
        ("ab\r", "more than one line"),
        ("a\0b", "more than one line"),
        ("x" * 512, "512 bytes"),
        ("ä" * 300, "600 bytes"),
        ("\ud800", "no text"),
        ("$2b$99$" + "x" * 53, "does not know"),
    ],
)
def test_values_that_cannot_be_a_password(system, crypt, value, complaint):
    said = system.refused(authentication.configure, {"root-password": value})
    assert complaint in said
    assert said.startswith("com.oracle.linux.root-password")
    assert value not in said


def test_chpasswd_fails_without_a_word_of_the_password(system, no_crypt):
    system.tools("chpasswd")
    system.fail("chpasswd", f"BAD PASSWORD: {SECRET}")
    machine = system.machine()
    with pytest.raises(passwords.Failed) as failed:
        authentication.configure(machine, {"com.oracle.linux.root-password": SECRET})
    assert str(failed.value) == "chpasswd failed with exit code 1: what it says has a part of its input"
    assert machine.changes == []


def test_there_is_no_chpasswd(system):
    with pytest.raises(passwords.Failed, match="cannot run chpasswd: No such file"):
        authentication.configure(system.machine(), {"com.oracle.linux.root-password": SECRET})


# --- cleanup ----------------------------------------------------------------------------


def test_root_is_locked_when_asked(system):
    system.tools("usermod")
    system.write({"etc/shadow": "root:$6$x$y:19000::::::\n"})
    assert system.run(authentication.cleanup) == []
    assert system.run(authentication.cleanup, {"root-lock": "False"}) == []
    assert system.run(authentication.cleanup, {"root-lock": "True"}) == ["lock root"]
    assert hashed(system) == "!"


@pytest.mark.parametrize("present", ["!", "!!", "*", "!*"])
def test_root_is_locked_already(system, present):
    system.write({"etc/shadow": f"root:{present}:19000::::::\n"})
    assert system.run(authentication.cleanup, {"root-lock": "true"}) == []


def test_a_locked_hash_is_a_hash_still(system):
    system.tools("usermod")
    system.write({"etc/shadow": "root:!$6$x$y:19000::::::\n"})
    assert system.run(authentication.cleanup, {"root-lock": "yes"}) == ["lock root"]
    assert hashed(system) == "!"


def test_locking_is_asked_for_badly(system):
    said = system.refused(authentication.cleanup, {"root-lock": "perhaps"})
    assert said == "com.oracle.linux.root-lock has a value that it cannot have: use one of True, False, yes, no"


def test_there_is_no_root_to_lock(system):
    system.write({"etc/shadow": ""})
    assert "no root in /etc/shadow" in system.refused(authentication.cleanup, {"root-lock": "True"})
