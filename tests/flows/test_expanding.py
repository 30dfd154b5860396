"""Other names and imagined passages in a workspace: what is added is told, and nothing leaks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import PrivacyError, SettingsError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.core.text import SafeText
from aegle.facts.lexicon import Lexicon
from aegle.flows import asking, commands, expanding, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.walking import Once
from aegle.flows.workspace import Layout
from aegle.retrieve.expand import Known
from aegle.testing.weights import WeightsUnavailableError, cached

LEXICON = Lexicon.build(
    [
        Term("heart attack", "condition", Concept("ICD10CM", "I21.9", "Heart attack")),
        Term("myocardial infarction", "condition", Concept("ICD10CM", "I21.9", "Heart attack")),
        Term("MI", "condition", Concept("ICD10CM", "I21.9"), exact=True, score=0.4),
        Term("PowerShell", "technique", Concept("ATTACK", "T1059.001", "PowerShell"), score=0.8),
        Term("year", "lab", Concept("LOINC", "2024")),
    ]
)


@contextmanager
def kit_with(layout: Layout, **options: Any) -> Iterator[Kit]:
    named = {name.replace("__", "."): value for name, value in options.items()}
    with open_kit(layout, workspace.load_settings(layout, options=named)) as kit:
        yield kit


@pytest.fixture(scope="module")
def layout_of(_built: Path) -> Layout:
    """The small hospital; searches change nothing in it."""
    return workspace.check(_built)


def test_names_and_codes_lead_to_the_names_of_a_concept() -> None:
    every = ("heart attack", "myocardial infarction", "MI")
    assert expanding.known("A heart attack?", [LEXICON]) == [Known(2, 14, every)]
    assert expanding.known("What is i21.9?", [LEXICON]) == [Known(8, 13, every)]
    (one,) = expanding.known("Alerts for T1059.001.", [LEXICON])
    assert one == Known(11, 20, ("PowerShell",))
    assert expanding.known("What happened in 2024 to nobody?", [LEXICON]) == []


def test_a_doubtful_name_needs_company_and_short_forms_their_meaning() -> None:
    assert expanding.known("Who lives in MI?", [LEXICON]) == []
    assert len(expanding.known("MI or PowerShell?", [LEXICON])) == 2
    found = expanding.known("Is RA low?", [], short_forms={"RA": "room air"})
    assert found == [Known(3, 5, ("room air",))]


def test_long_forms_know_their_likely_short_ones() -> None:
    lexicon = expanding.long_forms({"htn": {"hypertension": 0.9, "hyper tension net": 0.1}})
    (one,) = expanding.known("Any hypertension?", [lexicon])
    assert one.names == ("hypertension", "HTN")
    assert expanding.known("A hyper tension net?", [lexicon]) == []


def test_a_short_form_is_found_as_a_word_of_its_own() -> None:
    text = "FAMILY with MI?"
    assert expanding.known(text, [], short_forms={"MI": "infarct"}) == [Known(12, 14, ("infarct",))]
    assert expanding.known("FAMILY?", [], short_forms={"MI": "infarct"}) == []


def test_of_many_codes_the_first_few_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(Lexicon, "coded", lambda self, code: looked_up.append(code) or [])
    expanding.known(" ".join(f"t{n}.001 T{n}.001" for n in range(1000, 1390)), [LEXICON])
    assert looked_up == [f"T{n}.001" for n in range(1000, 1008)]


def test_a_table_that_is_gone_is_told_with_its_setting(layout_of: Layout, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.csv")
    with (
        kit_with(layout_of, knowledge__abbreviations=[gone]) as kit,
        pytest.raises(SettingsError, match=r"knowledge\.abbreviations: no file .*gone\.csv"),
    ):
        knowledge.search(kit, "Who has HTN?", mode="text")


def test_tables_are_read_once_and_anew_when_they_change(
    layout_of: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expanding.catalog, "cache_folder", lambda: tmp_path / "cache")
    table = tmp_path / "table.csv"
    table.write_text("short,long\nZQV,zero quality value\n")
    built: list[int] = []
    build = Lexicon.build
    monkeypatch.setattr(Lexicon, "build", lambda terms: built.append(1) or build(terms))

    def names() -> tuple[str, ...]:
        expanding._long_forms.cache_clear()  # as another process
        state = ((str(table), expanding._changed(str(table))),)
        (one,) = expanding.known("A zero quality value?", [expanding._long_forms(state)])
        return one.names

    assert names() == names() == ("zero quality value", "ZQV")
    assert len(built) == 1
    table.write_text("short,long\nZQ,zero quality value\n")
    assert names() == ("zero quality value", "ZQ")
    assert len(built) == 2


def test_what_was_put_in_for_a_clinician_has_no_other_names(layout_of: Layout) -> None:
    with kit_with(layout_of) as kit:
        asked, safe = "What did Dr. Smith write?", "What did Dr. Nickel write?"
        put_in = asking.understand(kit, asked, SafeText(safe, by="test"), [])
        assert "nickel" in put_in.invented
        assert expanding.added_to(kit, put_in) == ()
        said = asking.understand(kit, safe, SafeText(safe, by="test"), [])
        assert put_in.asked == said.asked
        assert [one.of for one in expanding.added_to(kit, said)] == ["Nickel"]


def test_control_characters_in_a_question_are_read_as_spaces(layout_of: Layout) -> None:
    with kit_with(layout_of) as kit:
        for question in ("the director of film \x00?", "\x00\x00's father", "a\x07 pump \x1b[1m"):
            assert knowledge.search(kit, question)["question"]
            knowledge.ask(kit, question, generate=False)


def test_a_search_embeds_its_question_once(layout_of: Layout) -> None:
    with kit_with(layout_of) as kit:
        embedded: list[str] = []
        embed = kit.encoder.embed

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(encoder, name)

            def embed(self, texts: Any) -> Any:
                embedded.extend(texts)
                return embed(texts)

        encoder, kit.__dict__["encoder"] = kit.encoder, Counting()
        question = "What is the dose of warfarin of the patient in ICU-3?"
        once = Once.of(kit, ())
        wanted = asking.understand(kit, question, SafeText(question, by="test"), ())
        by = expanding.ways(kit, wanted, once, embed=once.embed, added=())
        assert (by.embed([question]) == once.embed([question])).all()
        assert embedded == [question]


def test_a_search_tells_what_it_added_and_can_be_told_not_to(layout_of: Layout) -> None:
    question = "Who had a myocardial infarction?"
    with kit_with(layout_of) as kit:
        told = knowledge.search(kit, question, mode="text")
        assert [one["of"] for one in told["added"]] == ["myocardial infarction"]
        assert "heart attack" in told["added"][0]["names"]
        assert knowledge.search(kit, question, mode="dense")["added"] == []
        assert knowledge.search(kit, "zyx qwv", mode="text")["added"] == []
    with kit_with(layout_of, retrieve__expand=False) as kit:
        assert knowledge.search(kit, question, mode="text")["added"] == []


def test_a_patients_name_has_no_other_names(layout: Layout, tmp_path: Path) -> None:
    # A family name that a terminology knows as a threat group's, and one that is a disease's.
    notes = tmp_path / "notes"
    notes.mkdir()
    for mrn, name in (("88123409", "Wizard Spider"), ("88123410", "Ada Parkinson")):
        text = f"Patient: {name}   MRN: {mrn}   DOB: 03/04/1961\n\nTakes warfarin 5 mg daily."
        (notes / f"{mrn}.txt").write_text(text)
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    with kit_with(layout) as kit:
        for name in ("Ada Parkinson", "88123410", "88123409"):
            told = knowledge.search(kit, f"Does {name} take anything?", mode="hybrid")
            assert told["added"] == []


def test_hyde_without_a_generator_is_refused_at_opening(layout: Layout) -> None:
    options = {"retrieve__hyde": True, "backends__generator_model": ""}
    with pytest.raises(SettingsError, match="needs a generator"), kit_with(layout, **options):
        pass


def test_hyde_sends_nothing_away_where_identifiers_are_kept(layout: Layout) -> None:
    options = {
        "retrieve__hyde": True,
        "redact__override_reason": "a drill",
        "backends__generator_url": "http://elsewhere.example",
    }
    with pytest.raises(PrivacyError, match="another machine"), kit_with(layout, **options):
        pass


class Writer:
    """A generator whose passage would be noticed anywhere."""

    passage = "Xylophone marmalade answers this question in a passage."

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def stream(self, messages: Any, *, max_tokens: int, seed: int = 0) -> Iterator[str]:
        self.asked.append((messages, max_tokens))
        yield self.passage

    def close(self) -> None:
        pass


def test_the_imagined_passage_moves_the_meaning_and_is_never_shown(
    layout: Layout, notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    options = {"retrieve__hyde": True, "retrieve__hyde_tokens": 9, "observe__level": "debug"}
    with kit_with(layout, **options) as kit:
        writer = Writer()
        kit.__dict__["generator"] = writer
        told = knowledge.search(kit, "What does Marguerite Okonkwo take?", mode="hybrid")
        assert told["hits"]
        ((messages, max_tokens),) = writer.asked
        assert max_tokens == 9
        assert "Okonkwo" not in json.dumps(messages)
        knowledge.search(kit, "warfarin", mode="text")
        assert len(writer.asked) == 1
    shown = capsys.readouterr()
    assert "Xylophone" not in json.dumps(told) + shown.out + shown.err
    held = [path for path in layout.root.rglob("*") if path.is_file()]
    assert held and not any(b"ylophone" in path.read_bytes() for path in held)


def test_hyde_with_the_packaged_generator(small_hospital: Path) -> None:
    try:
        cached("smollm2")
    except WeightsUnavailableError as error:
        pytest.skip(str(error))
    words = ["search", "Which devices are in ICU-3?", "--mode", "hybrid", "--json"]
    options = ["--set", "retrieve.hyde=true", "--set", "retrieve.hyde_tokens=12"]
    command = [sys.executable, "-m", "aegle", *words, *options, "-w", str(small_hospital)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["hits"]
