# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the interface: it says what is served, and answers are as it says."""

import importlib
import json
import pathlib
import re
import uuid

import jsonschema
import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import report

CODES = importlib.import_module("ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway.errors").CODES
pytestmark = pytest.mark.parametrize("xenstored", ["c"], indirect=True)

BASE = "/ovm/core/wsapi/rest"
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
NOBODY = "0" * 32
MANUAL = pathlib.Path(__file__).parents[3] / "docs/reference/gateway-rest.md"


class Described:
    """A gateway's description of itself."""

    def __init__(self, client):
        self.whole = client.read("/openapi.json")
        self.paths = self.whole["paths"]

    def operations(self):
        return [(path, method) for path, methods in self.paths.items() for method in methods]

    def check(self, path, method, answer):
        """See that an answer is one that the description has."""
        content = self.paths[path][method]["responses"][str(answer.status_code)]["content"]
        kind = answer.headers["Content-Type"].partition(";")[0]
        found = answer.json() if kind == "application/json" else answer.text
        schema = dict(content[kind]["schema"], components=self.whole["components"])
        jsonschema.Draft202012Validator(schema).validate(found)
        return found


@pytest.fixture
def described(client):
    return Described(client)


@pytest.fixture
def ids(client, guest, guest_sends, until):
    """Of an object of each kind, when all has happened that there is to tell; by path."""
    interfaces = [{"name": "eth0", "mac": "00:21:f6:00:00:01", "addresses": ["192.0.2.7/24", "2001:db8::7/64"]}]
    guest_sends(guest, report.guest("b1", "1.2"), report.interfaces(interfaces), (b"\xff", bytes(range(1, 256))))
    client.tell(guest.uuid, ("k", "\udcff"), flag="Yes")
    until(lambda: len(client.messages(guest.uuid)) == 3)
    last = {kind: client.read("/%s/id" % kind)[-1]["value"] for kind in ("VirtualNic", "Job", "Event")}
    return dict(last, Vm=uuid.UUID(guest.uuid).hex)


def address(path, ids):
    return path.replace("{id}", ids.get(path.split("/")[1], ""))


def options(method):
    return {"json": [{"key": "a", "value": "1"}]} if method == "put" else {}


def test_it_is_openapi_and_says_what_is_served(client, described):
    assert described.whole["openapi"] == "3.1.0" and described.whole["servers"] == [{"url": BASE}]
    names = [operation["operationId"] for methods in described.paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))
    for schema in described.whole["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path in described.paths:
        here = {method.upper() for method in described.paths[path]}
        for method in METHODS:
            answer = client.request(method, path.replace("{id}", NOBODY), json=[])
            # An id that names nothing is another matter than an address that is none.
            assert (answer.status_code == 405) == (method not in here), (method, path)
            assert answer.status_code in (200, 405) or answer.json()["errorCode"] != "GEN_000003"
        assert set(client.request("POST", path.replace("{id}", NOBODY)).headers["Allow"].split(", ")) == here | (
            {"HEAD"} if "GET" in here else set()
        )


def test_every_answer_is_as_described(client, described, ids):
    for path, method in described.operations():
        answer = client.request(method, address(path, ids), **options(method))
        found = described.check(path, method, answer)
        # Else nothing would be compared. Nothing is active, and nothing can be aborted.
        assert path == "/Job/active" or answer.status_code == 400 and path.endswith("/abort") or found, path
    path = "/Utilities/Certificate/CaCertificate"
    bare = client.get(path, headers={"Accept": "*/*"})
    assert bare.headers["Content-Type"].startswith("text/plain")
    assert described.check(path, "get", bare).startswith("-----BEGIN CERTIFICATE-----")


def test_every_refusal_is_as_described(client, connect, described, ids):
    nobody = connect("")
    for path, method in described.operations():
        here, bodies = address(path, ids), options(method)
        refused = [
            (401, nobody.request(method, here, **bodies)),
            (406, client.request(method, here, headers={"Accept": "text/html"}, **bodies)),
            (400, client.request(method, here + "?x=1", **bodies)),
        ]
        if "{id}" in path:
            number = path.startswith(("/Job", "/Event"))
            refused.append((404, client.request(method, path.replace("{id}", "9" * 9 if number else NOBODY), **bodies)))
            refused.append((400, client.request(method, path.replace("{id}", "-"), **bodies)))
            refused.append((404, client.request(method, path.replace("{id}", "a%2Fb"), **bodies)))
        if path.endswith("sendMessage"):
            refused += [
                (400, client.put(here, data="{", headers={"Content-Type": "application/json"})),
                (400, client.put(here, json=[])),
                (400, client.put(here, json=[{"key": "", "value": ""}])),
                (415, client.put(here, data="x")),
                (413, client.put(here, data=b"x" * (2 << 20), headers={"Content-Type": "application/json"})),
            ]
        for status, answer in refused:
            assert answer.status_code == status, (method, path, answer.text)
            described.check(path, method, answer)


def test_arguments_are_as_described(client, described, ids):
    for path, method in described.operations():
        for argument in described.paths[path][method]["parameters"]:
            if argument["in"] != "query":
                continue
            schema = argument["schema"]
            fits = schema.get("enum") or [schema["minimum"], schema["maximum"]]
            does_not = [str(each) + "0" for each in fits[-1:]] + ["", "-1", "\u00b2", "no such word"]
            for values, status in ((fits, 200), (does_not, 400)):
                for value in values:
                    answer = client.request(
                        method, address(path, ids), params={argument["name"]: value}, **options(method)
                    )
                    assert answer.status_code == status, (path, argument["name"], value)
                    described.check(path, method, answer)


def test_nobody_reads_it_unless_logged_in(connect):
    assert connect("").refused("GET", "/openapi.json")[:2] == (401, "AUTH_000003")


def test_the_manual_has_all_of_it(described):
    manual = MANUAL.read_text(encoding="utf-8")
    requests = "\n".join(re.findall(r"^\| (`(?:GET|PUT) .*?) \|", manual, re.MULTILINE))
    named = {re.sub(r"\?.*", "", path) for path in re.findall(r"`(?:[A-Z]+ )?(/[^`]*)`", requests)}
    assert named == set(described.paths)
    table = manual[manual.index("| status | errorCode") :]
    lines = [line.split(" | ") for line in table.split("\n\n")[0].split("\n")[2:]]
    told = {
        (status, code) for line in lines for status in line[0].strip("| ").split(", ") for code in line[1].split(", ")
    }
    assert {(str(status), code) for status, code, _name, _when in CODES.values()} <= told
    assert json.dumps(described.whole).isascii()
