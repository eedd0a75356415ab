# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVF environments: entity bombs, depths, encodings; and the same properties as another reader finds."""

from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.ovf import parse
from fuzz.checks import only, visible
from fuzz.draw import Draw

_SPACE = "http://schemas.dmtf.org/ovf/environment/1"
_BOMB = b'<!DOCTYPE a [<!ENTITY a "%s">%s]>' % (
    b"x" * 40,
    b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)),
)
TOKENS = [
    b"<Environment>", b"</Environment>", b"<PropertySection>", b"<Property key='", b"value='",
    b"<ProductSection class='", b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", b"<!ENTITY a 'b'>", b"&a;", b"&#0;",
    b"&#x10ffff;", b"<![CDATA[", b"xmlns:", b"<?xml version='1.0' encoding='", b"utf-7'?>", b"unicode_escape'?>",
    b"idna'?>", b"\xff\xfe", b"\xef\xbb\xbf",
]  # fmt: skip
SEEDS = [
    b'<?xml version="1.0"?><Environment xmlns="%s" xmlns:oe="%s"><PropertySection><Property '
    b'oe:key="com.oracle.linux.a" oe:value="b"/></PropertySection></Environment>' % (_SPACE.encode(), _SPACE.encode()),
    b'<Environment><ProductSection class="c" instance="1"><Property key="k" value="v"/></ProductSection></Environment>',
    b"<?xml version='1.0' encoding='utf-16'?><Environment/>",
    b"<?xml version='1.0' encoding='punycode'?><Environment/>",
    _BOMB + b"<Environment>&j;</Environment>",
    b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><Environment>&a;</Environment>",
    b"<a>" * 100,
    bytes(range(200)),
]
LONGEST = 16384


def run(data):
    found = None
    with only(SourceError):
        found = _parse(data)
    if found is not None:
        _same(data, found)
    _written(Draw(data))


def _parse(data):
    try:
        return parse(data)
    except SourceError as problem:
        visible(str(problem))
        raise


def _same(data, found):
    if any(not key or not isinstance(value, str) for key, value in found.items()):
        raise AssertionError("a property without a key, or a value that is no text")
    if b"<!DOCTYPE" in data and b"<![CDATA[" not in data and b"<!--" not in data and b"<?" not in data.lstrip()[1:]:
        raise AssertionError("a document with declarations was read")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError):
        return
    if _properties(root) != found:
        raise AssertionError("%r instead of %r" % (found, _properties(root)))


def _properties(root):
    """A simple model of the reader."""
    result = {}
    for section in root:
        if _local(section.tag) in ("PropertySection", "ProductSection"):
            prefix = _attributes(section).get("class", "")
            for element in section:
                if _local(element.tag) == "Property":
                    given = _attributes(element)
                    key, own = given["key"], given.get("class", prefix)
                    if own and not key.startswith(own + "."):
                        key = own + "." + key
                    result[key + ("." + given["instance"] if given.get("instance") else "")] = given.get("value", "")
    return result


def _attributes(element):
    return {_local(name): value for name, value in element.attrib.items()}


def _local(name):
    return name.rpartition("}")[2].rpartition(" ")[2]


def _written(draw):
    """Whatever a key and a value are, they come out of a document as they went in."""
    wanted, lines = {}, []
    for _number in draw.some(5):
        key, value = _plain(draw.text(30)), _plain(draw.text(60))
        if key:
            wanted.pop("com.oracle.linux." + key, None)
            wanted["com.oracle.linux." + key] = value
            lines.append("<Property key=%s value=%s/>" % (_quoted("com.oracle.linux." + key), _quoted(value)))
    document = "<Environment><PropertySection>%s</PropertySection></Environment>" % "".join(lines)
    found = _parse(document.encode(draw.one_of(("utf-8", "utf-16"))))
    if found != wanted:
        raise AssertionError("%r instead of %r" % (found, wanted))


def _plain(text):
    """What XML can carry."""
    return "".join(c for c in text if c in "\t\n\r" or " " <= c < "\ud800" or "\udfff" < c < "\ufffe" or c > "\uffff")


def _quoted(text):
    return quoteattr(text, {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
