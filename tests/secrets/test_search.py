# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search finds what is hidden, and nothing else: without this it would prove nothing."""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import os
import shlex
import urllib.parse
import zipfile
import zlib

import pytest

from tests.secrets import search


def _zip(raw):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.json", raw)
    return target.getvalue()


FORMS = {
    "as it is": lambda text, raw: raw,
    "JSON": lambda text, raw: json.dumps({"k": text}).encode(),
    "JSON, all of it escaped": lambda text, raw: "".join("\\u%04x" % ord(each) for each in text).encode(),
    "JSON in JSON": lambda text, raw: json.dumps(json.dumps("".join("\\u%04x" % ord(c) for c in text))).encode(),
    "repr": lambda text, raw: repr(text).encode(),
    "hexadecimal escapes": lambda text, raw: "".join("\\x%02x" % each for each in raw).encode(),
    "octal escapes": lambda text, raw: "".join("\\%03o" % each for each in raw).encode(),
    "URL": lambda text, raw: urllib.parse.quote(text, safe="").encode(),
    "URL, all of it escaped": lambda text, raw: "".join("%%%02X" % each for each in raw).encode(),
    "HTML": lambda text, raw: html.escape(text).encode(),
    "HTML, all of it escaped": lambda text, raw: "".join("&#%d;" % each for each in raw).encode(),
    "shell": lambda text, raw: shlex.quote(text).encode(),
    "UTF-16": lambda text, raw: text.encode("utf-16"),
    "UTF-16, the other way": lambda text, raw: text.encode("utf-16-be"),
    "UTF-32": lambda text, raw: text.encode("utf-32"),
    "base64": lambda text, raw: base64.b64encode(raw),
    "base64 behind one byte": lambda text, raw: base64.b64encode(b"x" + raw + b"y"),
    "base64 behind two": lambda text, raw: base64.b64encode(b"xy" + raw),
    "base64 for URLs": lambda text, raw: base64.urlsafe_b64encode(b"\xff\xfe\xfd" + raw),
    "base64 in lines": lambda text, raw: base64.encodebytes(os.urandom(70) + raw + os.urandom(70)),
    "base64 of base64": lambda text, raw: base64.b64encode(base64.b64encode(raw)),
    "basic authentication": lambda text, raw: b"Authorization: Basic " + base64.b64encode(b"admin:" + raw),
    "hexadecimal": lambda text, raw: raw.hex().encode(),
    "hexadecimal, behind a digit": lambda text, raw: b"f" + raw.hex().upper().encode(),
    "backwards": lambda text, raw: raw[::-1],
    "gzip": lambda text, raw: gzip.compress(raw),
    "the second of two gzip members": lambda text, raw: gzip.compress(b"first") + gzip.compress(raw),
    "zlib": lambda text, raw: zlib.compress(raw),
    "bzip2": lambda text, raw: bz2.compress(raw),
    "xz": lambda text, raw: lzma.compress(raw),
    "zip": lambda text, raw: _zip(raw),
    "zip in base64": lambda text, raw: base64.b64encode(_zip(raw)),
    "half a gzip member": lambda text, raw: gzip.compress(raw + os.urandom(20000))[:10000],
    "eight characters of it": lambda text, raw: raw[3:11],
    "eight others": lambda text, raw: raw[-8:],
    "eight in base64": lambda text, raw: base64.b64encode(b"..." + raw[1:9] + b"..."),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_finds_a_secret_in_each_form(form):
    wanted, other = search.make("wanted"), search.make("other")
    searcher = search.Searcher()
    searcher.add(wanted, other)
    data = os.urandom(3000) + b"\n" + FORMS[form](wanted.value, wanted.value.encode()) + b"\n" + os.urandom(3000)
    assert [name.split(" ")[0] for name in searcher.find(data)] == ["wanted"]
    assert searcher.searched == len(data)


@pytest.mark.parametrize("form", FORMS)
def test_it_finds_nothing_where_there_is_nothing(form):
    searcher = search.Searcher()
    searcher.add(*(search.make("secret-%d" % number) for number in range(20)))
    other = search.make("never added").value
    assert searcher.find(os.urandom(3000) + FORMS[form](other, other.encode()) + os.urandom(3000)) == []


def test_seven_characters_are_not_enough_and_too_short_a_secret_is_refused():
    secret, searcher = search.make("secret"), search.Searcher()
    searcher.add(secret)
    assert searcher.find(secret.value[2:9].encode()) == []
    with pytest.raises(ValueError):
        searcher.add(search.Secret("short", "hunter2"))
    assert secret.value not in repr(secret)
