# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in what scripts print, in all forms in which Python and shells print by themselves."""

import json
import shlex
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import redaction
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.redaction import WITHHELD, Redactor
from lab.programs import python2

SECRETS = ["hunter2", "qu\"o\\t'e$ `x`", "h\u00fc\u00df\u20ac", "odd \udcff byte", "tab\tbed", "  spaces  "]


def redactor(*values):
    found = Redactor()
    for value in values:
        found.add(value)
    return found


@pytest.mark.parametrize("secret", SECRETS)
def test_each_form_is_blanked(secret):
    raw = secret.encode("utf-8", "surrogateescape")
    for shown in (
        secret,
        secret.strip(),
        json.dumps({"k": secret}),
        json.dumps({"k": secret}, ensure_ascii=False),
        repr({"k": secret}),
        repr(raw),
        "passwd " + shlex.quote(secret),
    ):
        text = redactor(secret).text("before %s after" % shown)
        assert redaction.MASK in text and text.startswith("before ") and text.endswith(" after")
        for part in (secret.strip(), repr(secret.strip())[1:-1], json.dumps(secret.strip())[1:-1]):
            assert part not in text


@pytest.mark.parametrize("secret", SECRETS[:3])
def test_what_python_2_prints_of_a_dict_is_blanked(secret):
    python = python2()
    if python is None:
        return  # other machines have none, and then no script of it, either
    code = "import json, sys; print json.loads(sys.stdin.read())"
    done = subprocess.run(
        [python, "-c", code], input=json.dumps({"k": secret}).encode(), capture_output=True, check=True
    )
    text = redactor(secret).text(done.stdout.decode("utf-8", "surrogateescape"))
    assert text in ("{u'k': u'%s'}\n" % redaction.MASK, "{u'k': u\"%s\"}\n" % redaction.MASK)


def test_lines_of_a_secret_are_secrets_too():
    key = "-----BEGIN KEY-----\nabcdefgh\n  indented\nx=\n-----END KEY-----\n"
    text = redactor(key).text("x\n" + key + "y\nabcdefgh\nindented here\nx=1\n")
    assert text == "x\n********y\n********\n******** here\nx=1\n"
    assert redactor(key).text("> abcdefgh") == "> ********"


def test_the_longer_of_two_goes_first():
    assert redactor("hunter2", "hunter2-and-more").text("hunter2-and-more hunter2") == "******** ********"


def test_of_short_ones_the_whole_line_goes():
    found = redactor("xyz", "")
    assert found.text("one\nwxyz\ntwo xy z") == "one\n%s\ntwo xy z" % WITHHELD
    assert redactor("").text("a\nb") == "a\nb"


def test_a_secret_that_was_cut_off_does_not_show():
    found = redactor("hunter2")
    for length in range(len("say hunter2") + 1):
        assert "h" not in found.cut("say hunter2"[:length])
    assert Redactor().cut("all of it") == "all of it"
    assert "hun" not in redactor("hunter2hunter2").cut("0123456789 hunter2hunter2hunter2hunter2hunte")


def test_which_of_many_are_secrets():
    def shown(keys=(), known=None):
        found = Redactor()
        parameters = {"root-password": "by-name", "x.pin": "by-key1", "x.pin.0": "by-key2", "x.open": "open-value"}
        found.add_all(parameters, keys, known)
        return found.text(" ".join(parameters.values()))

    assert shown() == "******** by-key1 by-key2 open-value"
    assert shown(["x.pin"]) == "******** ******** by-key2 open-value"
    assert shown(["x.pin.7"]) == shown(["x.pin.N"]) == "******** by-key1 ******** open-value"
    assert shown(known={"x.open"}) == "******** ******** ******** open-value"
    assert shown(known={"x.pin.1"}) == "******** ******** by-key2 ********"
