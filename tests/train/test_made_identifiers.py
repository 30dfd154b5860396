"""Made-up training texts: their labels stand where the values do, and numbers check."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.train.data import jsonl
from aegle.train.data.identifiers import LABELS, dev_templates, read, write
from aegle.train.data.things import thing
from aegle.train.data.values import Values, luhn

WORDS = [letter * 3 + other * 4 for letter in "abcdefgh" for other in "qrstuv"]
ROWS = [
    {"template_id": n, "masked": f"{WORDS[n]}: {{{{PERSON}}}} of {{{{GPE}}}}"} for n in range(40)
]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("templates") / "synth.json"
    path.write_text(json.dumps(ROWS))
    return path


@pytest.fixture(scope="module")
def made(templates: Path) -> Path:
    path = templates.with_name("made.jsonl")
    write(path, templates=templates, count=900, seed=3)
    return path


def test_the_same_seed_writes_the_same_bytes(templates: Path, made: Path) -> None:
    again, other = templates.with_name("again.jsonl"), templates.with_name("other.jsonl")
    write(again, templates=templates, count=900, seed=3)
    write(other, templates=templates, count=900, seed=4)
    assert again.read_bytes() == made.read_bytes() != other.read_bytes()


def test_what_is_written_is_what_the_reader_makes(templates: Path, made: Path) -> None:
    because = "made up"
    written = list(jsonl.read(made, because=because))
    assert written == list(read(templates, because=because, count=900, seed=3))


def test_labels_are_apart_and_hold_no_blank_edge(made: Path) -> None:
    seen: Counter[str] = Counter()
    for one in jsonl.read(made, because="made up"):
        seen.update(label.label for label in one.labels)
        for left, right in zip(one.labels, one.labels[1:], strict=False):
            assert left.end <= right.start
        for label in one.labels:
            value = one.text[label.start : label.end]
            assert value == value.strip() != ""
            assert "{" not in value
    assert set(seen) == set(LABELS)
    assert min(seen.values()) >= 5


def test_no_slot_is_left_in_a_text(made: Path) -> None:
    for one in jsonl.read(made, because="made up"):
        assert "{" not in one.text


def test_only_dev_templates_are_filled(made: Path) -> None:
    dev = dev_templates(ROWS)
    assert 0 < len(dev) < len(ROWS)
    numbers = {
        int(one.group.partition("/")[2])
        for one in jsonl.read(made, because="made up")
        if one.group.startswith("template/")
    }
    assert numbers <= dev
    assert len(numbers) > len(dev) / 2


def test_a_template_that_says_what_a_held_out_one_says_is_not_filled(tmp_path: Path) -> None:
    held_out = next(row for row in ROWS if row["template_id"] not in dev_templates(ROWS))
    twin = {**ROWS[0], "masked": held_out["masked"].replace(":", ";").upper()}
    assert ROWS[0]["template_id"] in dev_templates(ROWS)
    path = tmp_path / "twins.json"
    path.write_text(json.dumps([twin, *ROWS[1:]]))
    groups = {one.group for one in read(path, because="made up", count=400, seed=3)}
    assert f"template/{twin['template_id']}" not in groups
    assert len(groups) > 100


def test_numbers_have_true_check_digits() -> None:
    for seed in range(60):
        values = Values(random.Random(seed))
        card = "".join(filter(str.isdigit, values.card("")))
        assert luhn(card[:-1]) == int(card[-1])
        iban = values.iban("").replace(" ", "").upper()
        moved = iban[4:] + iban[:4]
        assert int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def test_a_numbered_person_is_the_same_throughout_a_text() -> None:
    values = Values(random.Random(1))
    full = values.draw("person", "full", "1")
    assert full == f"{values.draw('person', 'first', '1')} {values.draw('person', 'last', '1')}"


def test_templates_that_are_none_are_said_by_name_only(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text('[{"secret": "Anna Schmidt"}]')
    with pytest.raises(InputError, match=r"odd\.json") as caught:
        write(tmp_path / "out", templates=path, count=1, seed=1)
    assert "Anna" not in str(caught.value)


def test_charts_hold_codes_and_signs_that_have_no_label(made: Path) -> None:
    texts = list(jsonl.read(made, because="made up"))
    vital = [one for one in texts if "SpO2" in one.text]
    assert len(vital) > 10
    for one in vital:
        at = one.text.index("SpO2")
        assert all(label.end <= at or label.start >= at + 4 for label in one.labels)
    bare = [one for one in texts if not one.labels]
    assert len(bare) > len(texts) / 20


def test_every_form_of_a_thing_is_drawn_and_unknown_ones_are_refused() -> None:
    rng = random.Random(5)
    for form in ("ward", "asset", "host", "technique", "flaw", "drug", "finding", "section"):
        assert thing(rng, "some", form).strip()
    assert thing(rng, "n", "sodium").isdigit()
    with pytest.raises(KeyError):
        thing(rng, "some", "person")
