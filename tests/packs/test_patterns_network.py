"""Shapes of networks and security text: found, normalised, and not found where they are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.packs.cybersecurity import patterns as security
from aegle.packs.general import patterns as general
from aegle.packs.general.network import refang
from aegle.packs.general.shapes import any_of
from aegle.packs.healthcare import patterns as clinical
from linear import grows_linearly


def found(text, patterns=None):
    """(type, matched text, key name or concept) of every match, without overlap resolution."""
    out = []
    for pattern in patterns or security.patterns():
        for match in pattern.regex.finditer(text):
            group = "value" if "value" in pattern.regex.groupindex and match["value"] else 0
            if pattern.check and not pattern.check(match):
                continue
            concept = pattern.concept(match) if pattern.concept else None
            piece = match[group]
            name = concept.key if concept else (pattern.normal or str.casefold)(piece)
            out.append((pattern.type, piece, name))
    return out


@pytest.mark.parametrize(
    ("text", "type", "piece", "name"),
    [
        ("C2 at 10.20.30[.]40 now", "ip", "10.20.30[.]40", "10.20.30.40"),
        ("from 2001:DB8::1 ok", "ip", "2001:DB8::1", "2001:db8::1"),
        ("see Evil[.]Example[.]com.", "domain", "Evil[.]Example[.]com", "evil.example.com"),
        ("mail.hospital.org!", "domain", "mail.hospital.org", "mail.hospital.org"),
        ("hxxps://a[.]com/X.php.", "url", "hxxps://a[.]com/X.php", "https://a.com/X.php"),
        ("bob[at]mail[.]ru", "email", "bob[at]mail[.]ru", "bob@mail.ru"),
        ("cve-2024-12345,", "vulnerability", "cve-2024-12345", "CVE:CVE-2024-12345"),
        ("(CWE-79)", "weakness", "CWE-79", "CWE:CWE-79"),
        ("CAPEC-66", "attack_pattern", "CAPEC-66", "CAPEC:CAPEC-66"),
        ("T1003.001.", "technique", "T1003.001", "ATTACK:T1003.001"),
        ("TA0001", "tactic", "TA0001", "ATTACK:TA0001"),
        ("G0016 and", "threat_group", "G0016", "ATTACK:G0016"),
        ("d41d8cd98f00b204e9800998ecf8427e", "hash", *["d41d8cd98f00b204e9800998ecf8427e"] * 2),
        (r"C:\Windows\Temp\a.dll", "path", r"C:\Windows\Temp\a.dll", r"c:\windows\temp\a.dll"),
        (
            r"C:\Program Files (x86)\A\b.exe",
            "path",
            r"C:\Program Files (x86)\A\b.exe",
            r"c:\program files (x86)\a\b.exe",
        ),
        ("in /etc/passwd.", "path", "/etc/passwd.", "/etc/passwd"),
        (r"HKLM\Software\Run for", "registry_key", r"HKLM\Software\Run", r"hklm\software\run"),
        ("ran cmd.exe and", "file", "cmd.exe", "cmd.exe"),
        ("TCP/443", "port", "443", "443"),
        ("00:1A:2b:3C:4d:5E", "ip", "00:1A:2b:3C:4d:5E", "mac-00:1a:2b:3c:4d:5e"),
        ("Failed password for root from", "account", "root", "root"),
        ("sshd[123]: x", "process", "sshd", "sshd"),
        ("tag PUMP-0042.", "device", "PUMP-0042", "pump-0042"),
        ("MON-ICU-03 alarms", "device", "MON-ICU-03", "mon-icu-03"),
        (r"to C:\Temp\a.exe.", "path", r"C:\Temp\a.exe", r"c:\temp\a.exe"),
        (r"by CORP\jsmith.", "account", "jsmith", "jsmith"),
        ("on icu3-gw01,", "host", "icu3-gw01", "icu3-gw01"),
        ("host=WS-0123 up", "host", "WS-0123", "ws-0123"),
        ("web01 sshd", "host", "web01", "web01"),
        ("in ICU-3", "ward", "ICU-3", "icu-3"),
        ("to Ward 4B", "ward", "Ward 4B", "ward-4b"),
        ("on 2024-03-05 at", "date", "2024-03-05", "2024-03-05"),
    ],
)
def test_shape_is_found_in_its_normal_form(text, type, piece, name):
    assert (type, piece, name) in found(text)


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("cmd.exe report.pdf main.py install.sh", "domain"),
        ("e.g. the end.The next i.e. it", "domain"),
        ("host.name=x user.name=y", "domain"),
        ("version 1.2.3.4.5 or 300.1.1.1 or 01.2.3.4", "ip"),
        ("at 12:30:45 done", "ip"),
        ("covid-19 type-2 il-6 stage-3", "host"),
        ("WS-0123 SRV-01 CVE-2024-1234 CWE-79 ICU-3 COVID-19", "device"),
        ("2026-05-04T07:21:03.694Z 2026-05-04 07:21 boot", "date"),
        ("a" * 32, "hash"),
        ("12345678901234567890123456789012", "hash"),
        ("XT1003.0015 T10031", "technique"),
        ("and/or 5/6 his/her", "path"),
    ],
)
def test_what_only_looks_alike_is_not_found(text, type):
    assert [one for one in found(text) if one[0] == type] == []


@given(st.from_regex(r"[a-z]{2,8}(\.[a-z]{2,8}){1,2}\.com", fullmatch=True))
def test_defanging_does_not_change_the_key(domain):
    assert refang(domain.replace(".", "[.]")) == refang(domain.upper()) == domain


@given(st.sets(st.text(alphabet="abc d+", min_size=1, max_size=6).filter(str.strip)))
def test_any_of_matches_its_words_and_no_others(words):
    import re

    words = {" ".join(word.split()) for word in words}
    for word in words:
        assert re.fullmatch(any_of(words), word)
    assert not words or not re.fullmatch(any_of(words), "zzz")


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "a.", "1.", "a-", "\\a", "C:\\a ", "/usr", "a:", " ", "BP ", "K of ", "a@", "[.]a",
     "http://", "1-", "sodium ", "PUMP-", "user ", "HKLM\\a b", "R  ", ".a_-", "1 mg ", "(at)"],
)  # fmt: skip
def test_patterns_take_linear_time(unit):
    for pattern in {*security.patterns(), *clinical.patterns(), *general.patterns()}:

        def work(text, regex=pattern.regex):
            for _ in regex.finditer(text):
                pass

        assert grows_linearly(work, unit, 100_000), pattern.regex.pattern[:60]
