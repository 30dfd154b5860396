"""Questions, chain and impact follow from the files, for every size and seed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from sample_files import Sample

from aegle.packs.sample import write_sample


def check(sample: Sample) -> None:
    asked = sample.gold("questions.json")
    kinds = Counter(q["type"] for q in asked)
    assert kinds == {"single": 20, "multi": 18, "cross": 12, "unanswerable": 10}
    assert len({q["question"] for q in asked}) == len({q["id"] for q in asked}) == 60
    private = {
        row["text"]
        for row in sample.gold("identifiers.jsonl")
        if row["kind"] in ("name", "mrn", "ssn", "date", "phone", "email") and len(row["text"]) > 4
    }
    for q in asked:
        if q["type"] == "unanswerable":
            assert not q["answers"]
            assert not q["evidence"]
            continue
        every = [row for e in q["evidence"] for row in (e, *e.get("alternatives", []))]
        shown = " ".join(row["text"] for row in every)
        assert any(answer in shown for answer in q["answers"]), q
        for proof in q["evidence"]:
            for row in (proof, *proof.get("alternatives", [])):
                assert row["text"] in sample.text(row["path"]), q
                assert not any(secret in row["text"] for secret in private), q
        if q["type"] != "single":
            assert len({e["path"] for e in q["evidence"]}) >= 2, q


def test_questions_are_proved_by_the_files(sample: Sample) -> None:
    check(sample)


@pytest.mark.parametrize(("patients", "days", "seed"), [(5, 2, 0), (6, 2, 3), (9, 4, 11)])
def test_every_size_has_sixty_questions(
    tmp_path: Path, patients: int, days: int, seed: int
) -> None:
    counts = write_sample(tmp_path, patients=patients, days=days, seed=seed)
    check(Sample(tmp_path, counts))


def test_a_pump_is_at_one_bed(sample: Sample) -> None:
    devices = [
        resource["id"]
        for path in sample.paths("fhir/*.json")
        for entry in json.loads(sample.text(path))["entry"]
        if (resource := entry["resource"])["resourceType"] == "Device"
    ]
    assert len(devices) == len(set(devices))


def test_a_hop_that_several_documents_state_has_them_all(sample: Sample) -> None:
    hops = [
        [hop, *hop.get("alternatives", [])]
        for q in sample.gold("questions.json")
        for hop in q["evidence"]
        if q["type"] in ("multi", "cross")
    ]
    folders = [{row["path"].split("/")[0] for row in hop} for hop in hops]
    pumps = [found for hop, found in zip(hops, folders, strict=True) if "PUMP" in hop[0]["text"]]
    # That a patient is on a pump stands in the order, in the device's record and in nursing notes.
    assert {"fhir", "notes"} in pumps
    for hop in hops:
        assert len({(row["path"], row["text"]) for row in hop}) == len(hop)


def test_unanswerable_questions_name_what_is_nowhere(sample: Sample) -> None:
    everything = "\n".join(sample.text(path) for path in sample.paths("**/*"))
    absent = [q["question"] for q in sample.gold("questions.json") if q["type"] == "unanswerable"]
    for phrase in ("PUMP-9", "VENT-9", "blood group", "pacemaker", "MAC address", "antivirus"):
        assert any(phrase in question for question in absent), phrase
        assert phrase.lower() not in everything.lower(), phrase
    (cve,) = [q.split()[4] for q in absent if q.startswith("On which host is CVE")]
    assert cve not in everything


def test_the_chain_runs_in_time_and_each_step_is_in_a_log(sample: Sample) -> None:
    chain = sample.gold("chain.json")
    times = [step["time"] for step in chain["steps"]]
    assert times == sorted(times)
    assert [step["number"] for step in chain["steps"]] == list(range(1, 15))
    for step in chain["steps"]:
        assert step["evidence"], step["name"]
        for row in step["evidence"]:
            text = sample.text(row["path"])
            assert text[row["start"] : row["end"]] == row["text"]
            assert text.splitlines()[row["line"] - 1] == row["text"]
    assert chain["steps"][-1]["evidence"][0]["text"].count(chain["device"]) == 1


def test_impact_names_the_victim(sample: Sample) -> None:
    chain, rows = sample.gold("chain.json"), sample.gold("impact.json")
    first = rows[0]
    assert first["alerted"]
    assert chain["device"] in first["devices"]
    assert set(chain["patients"]) <= set(first["patients"])
    assert first["wards"] == [chain["ward"]]
    assert chain["vulnerability"] in first["vulnerabilities"]
    open_on = [row["host"] for row in rows if chain["vulnerability"] in row["vulnerabilities"]]
    assert open_on == [first["host"]]
