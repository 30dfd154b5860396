"""An internal name and the short name of a host are one node; names of the world stay apart."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import Origin
from aegle.core.records import Document, Mention
from aegle.core.text import SafeText
from aegle.facts.extract import extract
from aegle.packs.cybersecurity import patterns as security
from aegle.packs.cybersecurity.readers.syslog import SyslogReader
from aegle.packs.general.hosts import host_name
from aegle.packs.healthcare import patterns as clinical


def keys(text: str, *mentions: Mention, patterns=security, **more) -> set[str]:
    safe = SafeText(text, by="test")
    doc = Document(
        id="d1", kind="log", domain="cybersecurity", text=safe, title=safe,
        mentions=mentions, **more,
    )  # fmt: skip
    found = extract(doc, lexicons=[], patterns=patterns.patterns(), cues=[], rules=[])
    return {entity.key for entity in found.entities}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ICU3-GW01", "icu3-gw01"),
        ("icu3-gw01.hospital.local", "icu3-gw01"),
        ("ICU3-GW01.HOSPITAL.LOCAL.", "icu3-gw01"),
        ("icu3-gw01.north.hospital.internal", "icu3-gw01"),
        ("icu3-gw01.local", "icu3-gw01"),
        ("nas.lan", "nas"),
        ("nas.home.arpa", "nas"),
        ("fileserver.hospital.corp", "fileserver"),
        ("hospital.local", "hospital.local"),
        ("www.example.com", "www.example.com"),
        ("www.other.org", "www.other.org"),
        ("icu3-gw01.hospital.org", "icu3-gw01.hospital.org"),
        ("local", "local"),
        ("home.arpa", "home.arpa"),
        ("in-addr.arpa", "in-addr.arpa"),
        (".local", ".local"),
    ],
)
def test_the_name_of_a_host(written, name):
    assert host_name(written) == name


@given(st.text("abcXYZ019.-_ local", max_size=30))
def test_a_name_is_its_own_name(text):
    assert host_name(host_name(text)) == host_name(text)
    assert host_name(text.upper()) == host_name(text)


@pytest.mark.parametrize("patterns", [security, clinical])
def test_one_node_whoever_writes_it(patterns):
    text = "Seen on icu3-gw01, ICU3-GW01 and icu3-gw01.hospital.local."
    assert keys(text, patterns=patterns) == {"host:icu3-gw01"}


@pytest.mark.parametrize("type", ["host", "domain"])
def test_a_field_that_states_it_has_the_same_node(type):
    assert keys("Gw01.Hospital.local asked", Mention(0, 19, type)) == {"host:gw01"}


def test_other_domains_are_kept_apart():
    assert keys("www.example.com, www.other.org and mail.hospital.local") == {
        "domain:www.example.com", "domain:www.other.org", "host:mail"
    }  # fmt: skip
    assert "host:l4" not in keys("Pain at L4.Local tenderness.", patterns=clinical)


def test_a_log_is_grouped_by_the_short_name():
    text = "".join(
        f"Mar  2 07:14:0{n} {host} sshd[1]: Connection from 10.0.0.{n} port 1\n"
        for n, host in enumerate(["icu3-gw01", "ICU3-GW01.hospital.local"])
    )
    (doc,) = SyslogReader().read(io.BytesIO(text.encode()), Origin("auth-2025.log"))
    assert doc.group.reveal() == "host/icu3-gw01"
