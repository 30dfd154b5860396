"""What people are invited to ask is answered with citations, and what nothing says is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegle.flows import knowledge, looking, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.packs.sample.world import World, build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kit(_built: Path) -> Iterator[Kit]:
    """The small hospital, open; questions change nothing in it."""
    layout = workspace.check(_built)
    with open_kit(layout, workspace.load_settings(layout)) as opened:
        yield opened


@pytest.fixture(scope="module")
def world() -> World:
    """The model that the small hospital was written from."""
    return build(patients=5, days=2, seed=3)


def ask(kit: Kit, question: str) -> dict[str, Any]:
    return knowledge.ask(kit, question, generate=False)


def check_cited(kit: Kit, got: dict[str, Any]) -> None:
    assert not got["refusal"], got
    assert got["claims"]
    for claim in got["claims"]:
        assert claim["citations"]
        for one in claim["citations"]:
            text = kit.corpus.get([one["document_id"]])[0].text
            assert text[one["start"] : one["end"]] == one["text"]


def test_every_question_that_the_console_offers_is_answered(kit: Kit) -> None:
    offered = looking.beginnings(kit, most=100)
    assert len(offered) >= 6, offered
    for question in offered:
        check_cited(kit, ask(kit, question))


def test_every_question_in_the_papers_is_answered(kit: Kit) -> None:
    papers = [ROOT / "README.md", *sorted((ROOT / "docs/tutorial").glob("*.md"))]
    asked = {
        question
        for paper in papers
        for question in re.findall(r'ask[( ]"([^"]+\?)"', paper.read_text("utf-8"))
    }
    assert len(asked) >= 2
    for question in asked:
        check_cited(kit, ask(kit, question))


def test_questions_about_a_host_are_answered_by_what_it_is_tied_to(kit: Kit, world: World) -> None:
    host = next(h for h in world.hosts if h.service == "pump-gateway" and h.flaws)
    tags = [d.tag for d in world.devices if d.host == host.name]
    got = ask(kit, f"What does the host {host.name} control?")
    check_cited(kit, got)
    assert any(tag in got["claims"][0]["text"] for tag in tags)
    for question in (
        f"Which vulnerabilities does {host.name} have?",
        f"Does {host.name} have known vulnerabilities?",
    ):
        got = ask(kit, question)
        check_cited(kit, got)
        assert host.flaws[0].cve in got["claims"][0]["text"]


def first_claim(kit: Kit, question: str, *accepted: str) -> str:
    """The first claim; it holds one of some texts."""
    got = ask(kit, question)
    check_cited(kit, got)
    text = str(got["claims"][0]["text"])
    assert any(one in text for one in accepted), (question, accepted, got["claims"])
    return text


def test_where_things_and_people_are(kit: Kit, world: World) -> None:
    patient = world.patients[0]
    for question in (
        f"Where is patient {patient.person.name}?",
        f"Where is {patient.pump.tag}?",
        f"Where can I find {patient.pump.tag}?",
        f"What is the location of {patient.pump.tag}?",
    ):
        first_claim(kit, question, patient.ward)
    tags = [device.tag for device in world.devices if device.ward == patient.ward]
    first_claim(kit, f"Which devices stand in {patient.ward}?", *tags)


def test_lists_of_patients_name_each_and_state_it_of_each(kit: Kit, world: World) -> None:
    drug = world.patients[0].illness.infusion
    got = ask(kit, f"Which patients are on {drug}?")
    check_cited(kit, got)
    takers = {
        group
        for patient in world.patients
        if drug in {patient.illness.infusion, *(one.name for one in patient.drugs)}
        for group in knowledge.safe_question(kit, patient.mrn)[1]
    }
    told = set()
    for claim in got["claims"]:
        [group] = {kit.corpus.get([c["document_id"]])[0].group for c in claim["citations"]}
        assert drug in claim["text"]
        assert group in takers
        assert group not in told
        told.add(group)


def test_yes_or_no_is_answered_by_what_the_record_says_in_its_words(kit: Kit, world: World) -> None:
    patient = next(p for p in world.patients if p.allergies and p.allergies[0].code)
    own = {one.substance for one in patient.allergies}
    substance, name = patient.allergies[0].substance, patient.person.name
    said = first_claim(kit, f"Is {name} allergic to {substance}?", substance)
    assert (
        said == ask(kit, f"Is {name} allergic to {substance}?")["claims"][0]["citations"][0]["text"]
    )
    other = next(one for one in ("latex", "codeine", "naproxen") if one not in own)
    got = ask(kit, f"Is {name} allergic to {other}?")
    assert got["refusal"] or not got["answer"].startswith(("Yes", "No"))


@pytest.mark.parametrize(
    "question",
    ["What is the weight of patient {}?", "How much does {} weigh?", "What is the height of {}?"],
)
def test_weight_is_not_weight_loss(kit: Kit, world: World, question: str) -> None:
    for patient in world.patients:
        assert ask(kit, question.format(patient.person.name))["refusal"]


def test_advice_is_no_record_of_what_happened(kit: Kit) -> None:
    first_claim(kit, "What should staff do when a gateway cannot be patched?", "isolated")
    first_claim(kit, "What should be done about alarm E-120?", "check line and cannula")
    first_claim(kit, "How long does the battery of an InfuseLine 8 last?", "hours on battery")


def test_what_happened_is_of_the_host_and_the_day(kit: Kit, world: World) -> None:
    host = "WS-WARD4B-02"
    for day in (f"{world.start:%Y-%m-%d}", f"{world.start:%B} {world.start.day}, {world.start:%Y}"):
        got = ask(kit, f"What happened on {host} on {day}?")
        check_cited(kit, got)
        for claim in got["claims"]:
            assert f"{world.start:%Y-%m-%d}" in claim["text"]
            assert host in claim["text"]


def test_british_and_american_words_find_the_same(kit: Kit, world: World) -> None:
    patient = world.patients[0]
    value = f"{patient.first_labs['hemoglobin']:.1f}"
    for word in ("hemoglobin", "haemoglobin"):
        first_claim(kit, f"What was the {word} of {patient.person.name} on admission?", value)


def test_a_log_that_repeats_a_host_does_not_hide_its_row(kit: Kit, world: World) -> None:
    for host in world.hosts:
        first_claim(kit, f"Which operating system does {host.name} run?", host.system)
