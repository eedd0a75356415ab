# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVF environments, as documents and on discs."""

import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import ovf
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import SourceError
from lab import parts

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" '
    'xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" '
    'xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" oe:id="vm">\n'
)
STANDARD = (
    HEAD
    + """ <PlatformSection><Kind>Xen</Kind></PlatformSection>
 <PropertySection>
  <Property oe:key="com.oracle.linux.network.hostname" oe:value="web1"/>
  <Property oe:key="com.oracle.linux.network.device.0" oe:value="eth0"/>
  <Property oe:key="com.oracle.linux.root-password" oe:value="p&amp;&#xFC;&quot;"/>
  <Property oe:key="org.example.empty" oe:value=""/>
 </PropertySection>
 <Entity oe:id="sibling"><PropertySection>
  <Property oe:key="com.oracle.linux.network.hostname" oe:value="of another machine"/>
 </PropertySection></Entity>
</Environment>"""
)
FOUND = {
    "com.oracle.linux.network.hostname": "web1",
    "com.oracle.linux.network.device.0": "eth0",
    "com.oracle.linux.root-password": 'p&ü"',
    "org.example.empty": "",
}
SECTIONS = (
    HEAD
    + """<ProductSection ovf:class="com.oracle.linux">
  <Property oe:key="network.hostname" oe:value="web1"/>
  <Property oe:key="com.oracle.linux.root-password" oe:value="secret"/>
</ProductSection>
<ProductSection class="org.example"><Property key="a" instance="1" value="x"/></ProductSection>
<PropertySection><Property key="b" ovf:class="org.example" value="y"/><Property key="plain"/></PropertySection>
</Environment>"""
)


def test_a_document_of_the_standard():
    assert ovf.parse(STANDARD.encode()) == FOUND and list(ovf.parse(STANDARD.encode())) == list(FOUND)
    assert ovf.parse(STANDARD.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")) == FOUND


def test_classes_and_instances_in_attributes_of_their_own():
    assert ovf.parse(SECTIONS.encode()) == {
        "com.oracle.linux.network.hostname": "web1",
        "com.oracle.linux.root-password": "secret",
        "org.example.a.1": "x",
        "org.example.b": "y",
        "plain": "",
    }


def test_the_namespace_of_older_documents():
    assert ovf.parse(STANDARD.replace("http://schemas.dmtf.org/ovf/environment/1", "urn:of:old").encode()) == FOUND


@pytest.mark.parametrize(
    "document, text",
    [
        ("", "ovf-env.xml is no XML (line 1: no element found)"),
        ("<Environment", "ovf-env.xml is no XML (line 1: unclosed token)"),
        (STANDARD + "x", "ovf-env.xml is no XML (line 13: junk after document element)"),
        ("<Envelope/>", "ovf-env.xml is no OVF environment, it is about 'Envelope'"),
        ("<Umgebungsübersicht/>", "ovf-env.xml is no OVF environment, it is about 'Umgebungs\\xfcbersicht'"),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><Environment/>',
            "ovf-env.xml has a document type declaration: an OVF environment needs none",
        ),
        ("<Environment>" + "<x>" * 40 + "</x>" * 40 + "</Environment>", "ovf-env.xml is nested too deeply"),
        (HEAD + "<PropertySection><Property/></PropertySection></Environment>", "has a property without a key"),
        ('<?xml version="1.0" encoding="klingon"?><Environment/>', "is in an encoding that is not known here"),
    ],
)
def test_what_is_no_environment(document, text):
    with pytest.raises(SourceError) as raised:
        ovf.parse(document.encode())
    assert text in str(raised.value)


def test_an_error_shows_no_value():
    with pytest.raises(SourceError) as raised:
        ovf.parse((STANDARD[: STANDARD.index("org.example.empty")] + "<secret").encode())
    assert "secret" not in str(raised.value) and raised.value.__cause__ is None


@pytest.fixture(scope="session")
def disc(tmp_path_factory):
    """An image of a disc with the document."""
    place = tmp_path_factory.mktemp("ovf")
    (place / "top").mkdir()
    (place / "top" / ovf.DOCUMENT).write_text(STANDARD, encoding="utf-8")
    command, environment = parts.genisoimage()
    made = [*command, "-quiet", "-J", "-V", "OVF ENV", "-o", str(place / "disc.iso"), str(place / "top")]
    subprocess.run(made, env=environment, check=True)
    return place / "disc.iso"


def test_the_first_disc_that_has_one(disc, tmp_path):
    (tmp_path / "sr0").write_bytes(b"")  # a drive without a disc
    (tmp_path / "sr1").write_bytes(disc.read_bytes())
    assert ovf.find([str(tmp_path / "none"), str(tmp_path / "sr*")]) == FOUND
    assert ovf.find([str(disc.parent / "top")]) == FOUND  # mounted
    assert ovf.find([str(tmp_path / "sr0"), str(tmp_path)]) is None
    assert ovf.find([]) is None


def test_one_that_cannot_be_read(disc, tmp_path):
    (tmp_path / ovf.DOCUMENT).write_text("<x", encoding="utf-8")
    with pytest.raises(SourceError, match="ovf-env.xml in .* is no XML"):
        ovf.find([str(tmp_path)])
    assert ovf.find([str(tmp_path), str(disc)]) == FOUND  # another disc will do


def test_the_usual_devices_are_looked_at(monkeypatch, disc):
    monkeypatch.setattr(ovf, "DEVICES", (str(disc),))
    assert ovf.find() == FOUND
