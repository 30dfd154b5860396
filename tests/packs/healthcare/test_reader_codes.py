"""Code systems and times have many spellings and one meaning."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.packs.healthcare.readers import codes, people


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("http://snomed.info/sct", "SNOMED"),
        ("2.16.840.1.113883.6.96", "SNOMED"),
        ("urn:oid:2.16.840.1.113883.6.96", "SNOMED"),
        ("SCT", "SNOMED"),
        ("LN", "LOINC"),
        ("http://loinc.org/", "LOINC"),
        ("I10", "ICD10CM"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "ICD10CM"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "RXNORM"),
        ("http://hl7.org/fhir/sid/cvx", "CVX"),
        ("L", ""),
        ("", ""),
    ],
)
def test_systems(spelt: str, name: str) -> None:
    assert codes.system_name(spelt) == name


def test_the_concept_that_names_the_node_comes_first() -> None:
    found = codes.ordered(
        [
            codes.concept("NDC", "1-2"),
            codes.concept("SCT", "44054006"),
            None,
            codes.concept("I10", "E11.9"),
            codes.concept("SCT", "44054006"),
            codes.concept("SCT", "not a code!"),
        ]
    )
    assert [one.key for one in found] == ["ICD10CM:E11.9", "SNOMED:44054006", "NDC:1-2"]


@pytest.mark.parametrize(
    ("stamp", "iso"),
    [
        ("201105311405-0500", "2011-05-31T14:05:00-05:00"),
        ("20110531140501.123", "2011-05-31T14:05:01.123"),
        ("20110531", "2011-05-31"),
        ("201105", "2011-05"),
        ("2011", "2011"),
        ("20111399", "2011"),
        ("20110599", "2011-05"),
        ("2011053199", "2011-05-31"),
        ("0000", ""),
        ("", ""),
        ("x", ""),
    ],
)
def test_time_stamps(stamp: str, iso: str) -> None:
    assert codes.iso_of_ts(stamp) == iso


@given(st.datetimes(min_value=datetime(1, 1, 1)))
def test_every_time_stamp_comes_back(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    stamp = moment.isoformat().replace("-", "").replace(":", "").replace("T", "")
    assert datetime.fromisoformat(codes.iso_of_ts(stamp)) == moment


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert codes.iso(codes.iso_of_ts(text)) == codes.iso_of_ts(text)
    assert codes.iso(text) in ("", text.strip())


def test_names_give_their_telling_parts_only() -> None:
    found = {one.value.reveal() for one in people.name("Dr.", "Ana", "B", "de", "Lopez")}
    assert found == {"Dr. Ana B de Lopez", "Ana Lopez", "Lopez, Ana", "Ana", "Lopez"}


@pytest.mark.parametrize(
    ("system", "value", "kind", "told"),
    [
        ("phone", "555-201-7788", "phone", "555-201-7788"),
        ("", "tel:(816)276-6909", "phone", "(816)276-6909"),
        ("", "mailto:a@b.org", "email", "a@b.org"),
        ("fax", "555 1234 99", "fax", "555 1234 99"),
        ("url", "https://x.org/p", "url", "https://x.org/p"),
    ],
)
def test_telecoms(system: str, value: str, kind: str, told: str) -> None:
    assert (kind, told) in {(one.kind, one.value.reveal()) for one in people.telecom(system, value)}


def test_kinds_are_the_safe_harbor_classes() -> None:
    with pytest.raises(ValueError, match="no identifier kind"):
        list(people.identifier("shoe size", "42x"))
