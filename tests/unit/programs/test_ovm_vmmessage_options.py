# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovm_vmmessage's command line, and the environment that stands in for parts of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ovm.messaging.programs.ovm_vmmessage.ovm_vmmessage_options import (
    HELP,
    OWN,
    VENDOR,
    VERSION,
    BadUsage,
    Request,
    parse,
    usage,
)

WHO = ["-u", "admin", "-p", "password"]
QUERY = [*WHO, "-v", "MyVM02", "-q", "key1"]
SEND = [*WHO, "-v", "MyVM02", "-k", "key2", "-V", "value2"]
DEFAULTS = Request(
    host="localhost",
    port=7002,
    user="admin",
    password="password",
    client_cert=None,
    client_key=None,
    ca_file=None,
    verify=True,
    timeout=300.0,
    vm_name="MyVM02",
    vm_uuid=None,
    key=None,
    value=None,
    query=b"key1",
    log=False,
    quiet=False,
    verbose=False,
)


def refused(words, environ=()):
    with pytest.raises(BadUsage) as found:
        parse(words, dict(environ))
    return str(found.value)


def test_the_vendors_examples():
    assert parse(["-u", "admin", "-p", "password", "-h", "localhost", "-v", "MyVM02", "-q", "key1"], {}) == DEFAULTS
    assert parse(
        ["-u", "admin", "-p", "password", "-h", "localhost", "-v", "MyVM02", "-k", "key2", "-V", "value2"], {}
    ) == DEFAULTS._replace(key=b"key2", value=b"value2", query=None)


@pytest.mark.parametrize(
    "words",
    [
        ["-uadmin", "-ppassword", "-hlocalhost", "-vMyVM02", "-qkey1"],
        ["-XEuadmin", "-v", "MyVM02", "-qkey1", "-X"],
        ["-q", "key1", "-vMyVM02", *WHO, "--"],
        [*QUERY, "--no-log", "--port", "7002", "--timeout=300"],
        ["-u", "root", "-h", "elsewhere", "--port=1", "--log", *QUERY, "-h", "localhost", "--port=7002", "--no-log"],
    ],
)
def test_the_same_written_otherwise(words):
    # Where and as whom may be said again, and the last counts: so an alias can have defaults.
    assert parse(words, {"OVM_PASSWORD": "password"}) == DEFAULTS


def test_every_option():
    words = [
        *("-u", "admin", "-E", "-h", "manager", "-U", "0004fb00-0006", "-k", "-x", "-V", "--", "--quiet", "--log"),
        *("--port=7003", "--ca-file=ca.pem", "--client-cert=c.pem", "--client-key", "k.pem", "--insecure"),
        *("--timeout=2.5", "--verbose"),
    ]  # fmt: skip
    assert parse(words, {"OVM_PASSWORD": "from the environment"}) == Request(
        "manager", 7003, "admin", "from the environment", "c.pem", "k.pem", "ca.pem", False, 2.5,
        None, "0004fb00-0006", b"-x", b"--", None, True, True, True,
    )  # fmt: skip


def test_the_environment_counts_where_an_option_is_not_given():
    environ = {
        "OVM_USER": "operator",
        "OVM_PASSWORD": "secret",
        "OVM_HOST": "[fd00::1]:7004",
        "OVM_PORT": "7005",
        "OVM_CA_FILE": "ca.pem",
        "OVM_CLIENT_CERT": "c.pem",
        "OVM_CLIENT_KEY": "k.pem",
        "OVM_VALIDATE_CERTS": "No",
    }
    found = parse(["-v", "MyVM02", "-q", "key1"], environ)
    assert found == DEFAULTS._replace(
        host="fd00::1", port=7004, user="operator", password="secret", ca_file="ca.pem", client_cert="c.pem",
        client_key="k.pem", verify=False,
    )  # fmt: skip
    given = ["-hother", "--port=1", "--ca-file=x", "--client-cert=y", "--client-key=z"]
    found = parse([*QUERY, *given], environ)
    assert found == DEFAULTS._replace(
        host="other", port=1, ca_file="x", client_cert="y", client_key="z", verify=False
    )  # fmt: skip
    assert parse([*QUERY, "-hother"], {"OVM_PORT": "7005"}).port == 7005
    # A variable that is empty is one that is not set.
    assert parse(QUERY, dict.fromkeys(environ, "")) == DEFAULTS


@pytest.mark.parametrize("word, verify", [("yes", True), ("TRUE", True), ("1", True), ("off", False), ("0", False)])
def test_what_says_whether_certificates_are_verified(word, verify):
    assert parse(QUERY, {"OVM_VALIDATE_CERTS": word}).verify is verify
    assert parse([*QUERY, "--insecure"], {"OVM_VALIDATE_CERTS": word}).verify is False


def test_a_password_may_be_missing_so_far():
    assert parse(["-u", "admin", *QUERY[4:]], {}).password is None
    assert parse(["-u", "admin", "-p", "", *QUERY[4:]], {"OVM_PASSWORD": "x"}).password == ""
    assert parse(["--client-cert=c.pem", *QUERY[4:]], {}).user is None


@pytest.mark.parametrize(
    "host, expected",
    [
        ("manager.example.com", ("manager.example.com", 7002)),
        ("manager:7003", ("manager", 7003)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::1]", ("2001:db8::1", 7002)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
        ("2001:db8::1", ("2001:db8::1", 7002)),
        ("::1", ("::1", 7002)),
    ],
)
def test_hosts(host, expected):
    found = parse([*QUERY, "-h", host], {})
    assert (found.host, found.port) == expected


@pytest.mark.parametrize(
    "host",
    ["", ":7002", "https://manager:7002", "manager/ovm", "[::1", "[::1]7002", "[]", "user@manager", "a b", "a\n"],
)
def test_no_hosts(host):
    assert refused([*QUERY, "-h", host]) == (
        "'%s' is no host: give a name or an address, or HOST:PORT, or [IPV6]:PORT" % host
    )


@pytest.mark.parametrize("port", ["0", "65536", "x", "", "-1", "7002 ", "٣", "1" * 5000])
def test_no_ports(port):
    expected = "'%s' is no port: give a number from 1 to 65535" % port
    assert refused([*QUERY, "--port", port]) == expected
    assert refused([*QUERY, "-h", "manager:" + port]) == expected
    assert not port or refused(QUERY, {"OVM_PORT": port}) == expected


ADVICE = ": try 'ovm_vmmessage --help'"
BAD = {
    "no option": ([*QUERY, "-z"], "option -z not recognized" + ADVICE),
    "no long option": ([*QUERY, "--zap=SECRET"], "option --zap not recognized" + ADVICE),
    "no argument": ([*SEND[:-2], "-V"], "option -V requires argument" + ADVICE),
    "no long argument": ([*QUERY, "--port"], "option --port requires argument" + ADVICE),
    "argument": ([*QUERY, "--quiet=SECRET"], "option --quiet must not have an argument" + ADVICE),
    "ambiguous": ([*QUERY, "--client=x"], "option --client not a unique prefix" + ADVICE),
    "unquoted": (
        [*SEND, "SECRET"],
        "there are words that belong to no option: quote a value that has blanks in it; try 'ovm_vmmessage --help'",
    ),
    "no vm": ([*WHO, "-q", "k"], "no virtual machine was named: give its name with -v or its UUID with -U"),
    "vm twice": ([*QUERY, "-U", "1"], "both -v and -U were given: name the virtual machine in one way"),
    "two vms": ([*QUERY, "-v", "b"], "-v was given more than once: one run is about one virtual machine and one key"),
    "two keys": ([*SEND, "-k", "b"], "-k was given more than once: one run is about one virtual machine and one key"),
    "nothing": ([*WHO, "-v", "a"], "there is nothing to do: send with -k KEY -V VALUE, or query with -q KEY"),
    "no key": ([*WHO, "-v", "a", "-V", "SECRET"], "there is a value without a key: give -k KEY, too"),
    "no value": (
        [*WHO, "-v", "a", "-k", "k"],
        "there is a key to send but no value: give -V VALUE or --value-from-stdin; -q queries",
    ),
    "two values": (
        [*SEND, "--value-from-stdin"],
        "both -V and --value-from-stdin were given: give the value in one way",
    ),
    "both": ([*SEND, "-q", "k"], "there is something to send and something to query: do one after the other"),
    "two passwords": (
        [*QUERY, "-E"],
        "both -p and -E were given: leave out -p, which shows the password to others",
    ),
    "no password": (
        ["-E", "-u", "admin", *QUERY[4:]],
        "-E was given, but OVM_PASSWORD is not set: set it to the password",
    ),
    "no user": (QUERY[2:], "nobody was named to log in as: give -u USER, or --client-cert FILE"),
    "no certificate": (
        [*QUERY, "--client-key=k.pem"],
        "there is a client key without its certificate: give --client-cert, too",
    ),
    "two ports": (
        [*QUERY, "-h", "manager:1", "--port=2"],
        "there are two ports, 1 and 2: give one, with -h or with --port",
    ),
    "no time": ([*QUERY, "--timeout=soon"], "'soon' is no time: give the seconds, more than 0"),
    "no positive time": ([*QUERY, "--timeout=0"], "'0' is no time: give the seconds, more than 0"),
    "endless time": ([*QUERY, "--timeout=inf"], "'inf' is no time: give the seconds, more than 0"),
    "not a number": ([*QUERY, "--timeout=nan"], "'nan' is no time: give the seconds, more than 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_said_of_a_bad_command_line(name):
    words, expected = BAD[name]
    assert refused(words) == expected


def test_a_variable_that_is_neither_yes_nor_no():
    expected = "OVM_VALIDATE_CERTS is 'perhaps', which is neither yes nor no: set it to one of them, or unset it"
    assert refused(QUERY, {"OVM_VALIDATE_CERTS": "perhaps"}) == expected


@pytest.mark.parametrize("words, option", [(["--help"], HELP), (["--version"], VERSION), (["-v", "a", "--hel"], HELP)])
def test_help_and_version_want_nothing_else(words, option):
    assert parse(words, {}) is option


def test_keys_and_values_are_bytes_whatever_they_are():
    found = parse([*WHO, "-v", "a", "-k", "ü\udcff", "-V", "\udc80"], {})
    assert (found.key, found.value) == ("ü".encode() + b"\xff", b"\x80")


def test_names_are_the_text_that_their_bytes_are_in_utf_8():
    # As Python reads a command line in the locale C, if it is 3.6.
    escaped = "Zürich €".encode().decode("ascii", "surrogateescape")
    found = parse(["-u", escaped, "-p", escaped, "-v", escaped, "-q", "k"], {})
    assert found.user == found.password == found.vm_name == "Zürich €"
    assert parse([*WHO, "-v", "\udcff", "-q", "k"], {}).vm_name == "\udcff"
    assert refused([*QUERY, "-u", "\udcff"]) == "the user is not UTF-8: have it written in UTF-8"
    assert refused(["-u", "a", *QUERY[4:]], {"OVM_PASSWORD": "SECRET\udcff"}) == (
        "the password is not UTF-8: have it written in UTF-8"
    )


WORDS = st.one_of(
    st.sampled_from([str(option) for option in VENDOR + OWN]),
    st.text("uphvUkVqXE-=:[]1é\udcff", max_size=5),
)


@given(st.lists(WORDS, max_size=8))
def test_any_words_are_read_or_refused(words):
    try:
        found = parse(words, {"OVM_USER": "admin"})
    except BadUsage:
        return
    assert found in (HELP, VERSION) or (found.key is None) != (found.query is None)


def test_a_request_does_not_show_its_secrets():
    assert "value2" not in repr(parse(SEND, {})) and "password" not in repr(parse(SEND, {}))


def test_the_help_has_every_option_and_fits_a_window():
    lines = usage().splitlines()
    for option in VENDOR + OWN:
        assert sum(line.startswith("  " + str(option)) for line in lines) == 1
    assert all(len(line) <= 100 and line.isascii() for line in lines)
