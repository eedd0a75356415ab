# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, values and names with anything in them: shown, logged, quoted, made hosts of, never run."""

import importlib
import json
import re

from ansible_collections.ovm.messaging.plugins.module_utils import command_line, event_source, values
from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import InvalidMessage
from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import Message, display
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.console import _harmless
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.redaction import Redactor
from ansible_collections.ovm.messaging.plugins.module_utils.guest import events
from ansible_collections.ovm.messaging.plugins.module_utils.guest.errors import UnknownEvent
from ansible_collections.ovm.messaging.plugins.module_utils.inventory import hosts
from ansible_collections.ovm.messaging.plugins.module_utils.manager import dialect
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import printable
from ansible_collections.ovm.messaging.plugins.module_utils.secret_names import secret_by_name
from fuzz.checks import only, visible, writable
from fuzz.draw import ODD, Draw

_PROGRAMS = "ansible_collections.ovm.messaging.programs."
ovmd_text = importlib.import_module(_PROGRAMS + "ovmd.ovmd_text")
vmmessage_text = importlib.import_module(_PROGRAMS + "ovm_vmmessage.ovm_vmmessage_text")
page = importlib.import_module(_PROGRAMS + "ovm-gateway.ovm_gateway.visible")

TOKENS = [odd.encode("utf-8", "surrogatepass") for odd in ODD if len(odd) < 60]
TOKENS += [b"snapshot:pre", b"user::", b"root-password", b"token", b"secret", b"-pub"]
SEEDS = [b"", *TOKENS, bytes(range(256)), b"user:pre:\x00", "\u0130\u0131\u212a".encode()]


def run(data):
    _shown(data)
    _bytes(data)
    _text(data.decode("utf-8", "surrogatepass" if len(data) % 2 else "surrogateescape") if _passes(data) else "")
    draw = Draw(data)
    _hosts(draw)
    _numbers(draw)
    _redacted(draw)


def _passes(data):
    try:
        data.decode("utf-8", "surrogatepass" if len(data) % 2 else "surrogateescape")
    except UnicodeDecodeError:
        return False
    return True


def _shown(raw):
    """What people get to see of bytes is one line, and steers nothing."""
    for shown in (display(raw), printable(raw), vmmessage_text.visible(raw).decode("utf-8")):
        visible(shown)
    if len(display(raw)) > 67 or len(printable(raw)) > 203:
        raise AssertionError("a text without an end")
    for shown, _odd in page.pieces(raw):
        visible(shown, but="\n")
    line = ovmd_text.line(raw, raw)
    visible(
        line.decode("utf-8"), but="".join(c for c in values.key_text(raw) if ord(c) > 0xA0 and c not in "\u2028\u2029")
    )
    if {bytes(k.encode("utf-8", "surrogateescape")) for pair in json.loads(line).items() for k in pair} != {raw}:
        raise AssertionError("a parameter that does not come back")
    writable([values.key_text(raw), values.clean(values.key_text(raw)), values.base64_text(raw)])


def _bytes(raw):
    """What is sent arrives."""
    if (
        dialect.decode_text(dialect.encode_text(raw)) != raw
        or values.decode_base64("a", values.base64_text(raw)) != raw
    ):
        raise AssertionError("bytes that do not come back")
    if json.loads(json.dumps(dialect.encode_text(raw))) != dialect.encode_text(raw):
        raise AssertionError("JSON does not carry them")
    with only(InvalidMessage):
        Message(raw, raw).check(layout.KEY_LIMIT_TO_GUEST)
        description = dialect.event_description("web \u202e", raw, raw, 0.0)
        if not dialect.description_tells(description, raw, raw):
            raise AssertionError("a description that does not tell of its own message")
        if raw and dialect.description_tells(description, raw, raw + b"x"):
            raise AssertionError("a description that tells of another message")
    if secret_by_name(b"a.password." + raw) is False and not raw.lower().endswith((b"-pub", b"-type")):
        raise AssertionError("a password that is no secret")
    with only(UnknownEvent):
        event = events.parse(raw)
        again = events.parse(("%s:" % (event,)).encode() + event.payload)
        if again != event or b"\0" in event.payload or len(event.payload) > events.TEXT_LIMIT:
            raise AssertionError("%r became %r" % (event, again))
        if events.target(event) not in (None, "suspend", "resume", "migrate", "shutdown", "reconfigure"):
            raise AssertionError("an event runs %r" % events.target(event))


def _text(text):
    """Text from elsewhere."""
    safe = event_source.safe(text)
    writable([safe, values.clean(text)])
    if any(start in safe for start in ("{{", "{%", "{#", "#jinja2:")):
        raise AssertionError("a template: %a" % safe)
    visible(command_line.one_line(text))
    if re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", _harmless(text)):
        raise AssertionError("a terminal would be steered")
    if not text.isascii() or text.isprintable():
        with only(InvalidMessage):
            raw = values.encode("a", text)
            if values.text(raw) != text:
                raise AssertionError("text that does not come back")
    with only(InvalidMessage):
        values.decode_base64("a", text)


def _hosts(draw):
    """Names of machines: all different, none of which means this controller, a pattern or a path."""
    wanted = [("%032x" % number, draw.text(40, ("web", "localhost", "all"))) for number in range(draw.below(6))]
    safe = [(identity, hosts.safe_name(name) or identity) for identity, name in wanted]
    names, _again = hosts.unique_names(safe)
    if len(set(names.values())) != len(wanted) or set(names.values()) & {"localhost", "127.0.0.1", "all", "ungrouped"}:
        raise AssertionError("two machines with one name, or one that has a meaning: %r" % names)
    for name in names.values():
        writable(name)
        if (
            re.search(r"[\s\x00-\x1f/\\:,!&*?\[\]{}$`'\"<>|;~=%#()]", name)
            or name[:1] in "-."
            or len(name.encode()) > 255
        ):
            raise AssertionError("a host is called %a" % name)


def _numbers(draw):
    """Names and counters of nodes: as a simple model reads them."""
    raw = draw.bytes(14)
    model = re.fullmatch(rb"0|[1-9][0-9]{0,9}", raw)
    if layout.number(raw) != (int(raw) if model else None):
        raise AssertionError("the number of %r" % raw)
    counted = re.match(rb"\s*0*([0-9]{1,10})(?![0-9])", raw)
    if layout.counter(raw) != (int(counted[1]) if counted else None):
        raise AssertionError("the counter of %r is %r" % (raw, layout.counter(raw)))
    value, size = draw.bytes(200) * draw.below(60), draw.one_of((1, 7, 1640, 2048))
    if layout.join(layout.split(value, size)) != value:
        raise AssertionError("a value that does not come back")


def _redacted(draw):
    """A secret in whatever words is not to be seen."""
    secret = draw.raw(30).decode("utf-8", "surrogateescape")  # as parameters are
    redactor = Redactor()
    redactor.add(secret)
    shown = redactor.text("it is %s, or %s" % (secret, json.dumps(secret)))
    if len(secret.strip()) > 9 and secret in shown.replace("it is ", "").replace(", or ", "\n") and "*" not in secret:
        raise AssertionError("a secret is to be seen: %a" % secret)
