"""The whole hospital: the same bytes each time, true labels, files that their libraries read."""

from __future__ import annotations

import csv
import email
import email.policy
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import hl7
import pytest
import stix2
import yaml
from sample_files import SIZES, Sample
from sigma.collection import SigmaCollection

from aegle.core.errors import UsageError
from aegle.core.records import ASSERTIONS
from aegle.packs.sample import write_sample

SAFE_HARBOR = {
    "name", "place", "date", "phone", "fax", "email", "ssn", "mrn", "health_plan", "account",
    "licence", "vehicle", "device", "url", "ip", "biometric", "photo", "code",
}  # fmt: skip


def digests(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def test_the_same_arguments_give_the_same_bytes(sample: Sample, tmp_path: Path) -> None:
    write_sample(tmp_path, **SIZES)
    assert digests(tmp_path) == digests(sample.root)
    write_sample(tmp_path, **SIZES)
    assert digests(tmp_path) == digests(sample.root)


def test_another_hospital_does_not_mix_in(sample: Sample, tmp_path: Path) -> None:
    write_sample(tmp_path, patients=5, days=2, seed=1)
    with pytest.raises(UsageError, match="another folder"):
        write_sample(tmp_path, patients=5, days=2, seed=2)


def test_size_follows_patients_and_days(sample: Sample, tmp_path: Path) -> None:
    small = write_sample(tmp_path / "small", patients=5, days=2, seed=5)
    longer = write_sample(tmp_path / "longer", patients=5, days=6, seed=5)
    assert small["bytes"] < longer["bytes"]
    assert small["notes"] < sample.counts["notes"]
    assert small["log_lines"] < longer["log_lines"]
    with pytest.raises(UsageError):
        write_sample(tmp_path / "none", patients=4, days=2, seed=5)


def test_counts_are_true(sample: Sample) -> None:
    assert sample.counts["files"] == len(sample.paths("**/*"))
    assert sample.counts["notes"] == len(sample.paths("notes/**/*.txt"))
    assert sample.counts["identifiers"] == len(sample.gold("identifiers.jsonl"))
    assert sample.counts["bytes"] == sum(
        (sample.root / "files" / path).stat().st_size for path in sample.paths("**/*")
    )


def test_no_mark_is_left_in_a_file(sample: Sample) -> None:
    for path in sample.paths("**/*"):
        assert not re.search("[\ue000-\ue002]", sample.text(path)), path


def test_labels_stand_where_they_say(sample: Sample) -> None:
    for name in ("identifiers.jsonl", "entities.jsonl"):
        for row in sample.gold(name):
            assert sample.text(row["path"])[row["start"] : row["end"]] == row["text"], row
    for row in sample.gold("relations.jsonl"):
        text = sample.text(row["path"])
        assert text[slice(*row["head"])] == row["head_text"]
        assert text[slice(*row["tail"])] == row["tail_text"]


def test_all_classes_of_identifiers_are_planted(sample: Sample) -> None:
    planted = Counter(row["kind"] for row in sample.gold("identifiers.jsonl"))
    assert set(planted) == SAFE_HARBOR
    notes = {r["kind"] for r in sample.gold("identifiers.jsonl") if r["path"].startswith("notes/")}
    assert notes == SAFE_HARBOR


def test_every_assertion_is_in_the_notes(sample: Sample) -> None:
    found = Counter(row["assertion"] for row in sample.gold("entities.jsonl"))
    assert set(found) == set(ASSERTIONS)
    assert all(row["path"].startswith("notes/") for row in sample.gold("entities.jsonl"))


def test_no_name_of_a_patient_is_unlabelled_in_notes(sample: Sample) -> None:
    labelled = {(r["path"], r["start"]) for r in sample.gold("identifiers.jsonl")}
    people = {}
    for path in sample.paths("fhir/*.json"):
        person = json.loads(sample.text(path))["entry"][0]["resource"]
        people[person["id"]] = person["name"][0]["family"]
    for path in sample.paths("notes/**/*.txt"):
        mrn = path.split("/")[1]
        text, spans = sample.text(path), [s for p, s in labelled if p == path]
        for found in re.finditer(re.escape(people[mrn]), text):
            assert any(found.start() - 20 <= start <= found.start() for start in spans), path
        assert mrn in text


def test_bundles_are_whole(sample: Sample) -> None:
    for path in sample.paths("fhir/*.json"):
        resources = [e["resource"] for e in json.loads(sample.text(path))["entry"]]
        kinds = Counter(r["resourceType"] for r in resources)
        assert kinds["Patient"] == kinds["Encounter"] == 1
        assert {"Condition", "MedicationRequest", "Observation", "Device"} <= set(kinds)
        assert len({(r["resourceType"], r["id"]) for r in resources}) == len(resources)
        mrn = Path(path).stem
        for r in resources:
            if "subject" in r:
                assert r["subject"]["reference"] == f"Patient/{mrn}"


def test_hl7_messages_parse_and_name_the_same_patients(sample: Sample) -> None:
    kinds, bundles = set(), {Path(path).stem for path in sample.paths("fhir/*.json")}
    for path in sample.paths("hl7/*.hl7"):
        message = hl7.parse(sample.text(path))
        kinds.add(str(message.segment("MSH")[9]))
        assert str(message.segment("PID")[3]).split("^")[0] in bundles
    assert {"ADT^A01", "ADT^A02", "ORU^R01"} <= kinds


def test_tables_and_json_lines_parse(sample: Sample) -> None:
    for path in sample.paths("assets/*.csv"):
        rows = list(csv.DictReader(sample.text(path).splitlines()))
        assert rows, path
        assert all(None not in row and None not in row.values() for row in rows)
    for path in sample.paths("**/*.jsonl"):
        assert all(isinstance(json.loads(line), dict) for line in sample.text(path).splitlines())


def test_zeek_rows_have_their_fields(sample: Sample) -> None:
    for path in sample.paths("logs/zeek/*.log"):
        lines = sample.text(path).splitlines()
        fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        assert {len(row) for row in rows} == {len(fields)}
        times = [float(row[0]) for row in rows]
        assert times == sorted(times)


def test_mail_parses_and_the_lure_has_an_attachment(sample: Sample) -> None:
    messages = [
        email.message_from_string(sample.text(path), policy=email.policy.default)
        for path in sample.paths("mail/*.eml")
    ]
    assert len(messages) >= 4
    assert all(m["From"] and m["To"] and m["Date"].datetime and not m.defects for m in messages)
    (attached,) = [part for m in messages for part in m.iter_attachments()]
    assert attached.get_filename().endswith(".docm")


def test_threat_files_parse(sample: Sample) -> None:
    (path,) = sample.paths("threat/*.stix.json")
    bundle = stix2.parse(sample.text(path))
    ids = {o.id for o in bundle.objects}
    ties = [o for o in bundle.objects if o.type == "relationship"]
    assert ties
    assert all({o.source_ref, o.target_ref} <= ids for o in ties)
    rules = [sample.text(path) for path in sample.paths("threat/sigma/*.yml")]
    assert SigmaCollection.from_yaml("\n---\n".join(rules)).errors == []
    assert len(rules) == 2
    (path,) = sample.paths("threat/CVE-*.json")
    assert json.loads(sample.text(path))["cveMetadata"]["cveId"] == Path(path).stem


def matches(rule: dict, event: dict) -> bool:
    def one(key: str, wanted: object) -> bool:
        name, *how = key.split("|")
        options = wanted if isinstance(wanted, list) else [wanted]
        value = str(event.get(name, "")).lower()
        found = [
            value.endswith(o.lower()) if "endswith" in how else o.lower() in value for o in options
        ]
        return all(found) if "all" in how else any(found)

    return all(one(key, wanted) for key, wanted in rule["detection"]["selection"].items())


def test_each_sigma_rule_finds_its_step_and_nothing_else(sample: Sample) -> None:
    events = [
        json.loads(line)
        for path in sample.paths("logs/windows/*.jsonl")
        for line in sample.text(path).splitlines()
    ]
    steps = {s["technique"]: s for s in sample.gold("chain.json")["steps"]}
    for path in sample.paths("threat/sigma/*.yml"):
        rule = yaml.safe_load(sample.text(path))
        (hit,) = [event for event in events if event["EventID"] == 1 and matches(rule, event)]
        tags = [tag[7:].upper() for tag in rule["tags"] if tag.startswith("attack.t")]
        assert hit["Hostname"] == steps[tags[0]]["host"]


def test_notes_are_not_clones(sample: Sample) -> None:
    texts = [sample.text(path) for path in sample.paths("notes/**/*nursing.txt")]
    assert len(set(texts)) == len(texts)
    bodies = Counter(
        line for text in texts for line in text.split("\n")[5:] if len(line) > 40
    )  # fmt: skip
    assert bodies.most_common(1)[0][1] < len(texts) / 4
