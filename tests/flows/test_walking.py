"""A question that needs two passages finds both in a workspace: over the name that joins them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aegle.core.errors import WorkspaceError
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.flows import commands, derive, naming, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout
from aegle.retrieve import derived, marks
from aegle.retrieve.hops import planned
from aegle.retrieve.namebook import NameBook
from aegle.retrieve.names import key_of

PLAIN = '[knowledge]\ntagger = "none"\n[redact]\ntagger = "none"\n'
SETTINGS = PLAIN + 'keep = ["name"]\n'
QUESTION = "What nationality is the director of film Blood Orchid?"
FILM = ("Blood Orchid", "Blood Orchid is a 1931 drama directed by Leonid Varnava for a studio.")
MAN = (
    "Leonid Varnava",
    "Leonid Varnava grew up beside the harbour of Paphos and came from Cyprus.",
)
LURES = [
    (
        f"{name} Awards",
        f"The {name} Awards ask what nationality the director of a film is. The nationality of "
        f"each film director is printed beside the film in the list of {name}.",
    )
    for name in ("Aldine", "Borvik", "Cestria", "Dunmore", "Elvaston", "Farrow", "Glendale")
]
NOTE = """\
Patient: {name}   MRN: {mrn}   DOB: 03/04/1961
Date of service: 05/06/2024

CHIEF COMPLAINT: shortness of breath.

ASSESSMENT AND PLAN: Continue warfarin. Saw the film Blood Orchid with a carer from Quillgate House.
"""


def write(folder: Path, *pages: tuple[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for title, text in pages:
        body = f"<html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
        (folder / f"{title.replace(' ', '_')}.html").write_text(body)
    return folder


@pytest.fixture
def wiki(tmp_path: Path, layout: Layout) -> Path:
    """A film, its director, and pages that sound more like the question than either.

    They are public: people keep their names.
    """
    layout.settings.write_text(SETTINGS)
    return write(tmp_path / "wiki", FILM, MAN, *LURES)


def found(layout: Layout, question: str = QUESTION, **how: Any) -> list[dict[str, Any]]:
    options = {"k": 5, **how}
    hits: list[dict[str, Any]] = commands.run(
        layout.root, "search", {"question": question, **options}
    )["hits"]
    return hits


def titles(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["title"] for hit in hits]


def ingest(layout: Layout, *paths: Path) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(path) for path in paths]})


def test_the_second_passage_is_found_over_the_name_that_joins_them(
    layout: Layout, wiki: Path
) -> None:
    ingest(layout, wiki)
    hits = found(layout)
    assert {FILM[0], MAN[0]} <= set(titles(hits))
    assert MAN[0] not in titles(found(layout, mode="hybrid"))
    by_title = {hit["title"]: hit for hit in hits}
    film = by_title[FILM[0]]["chunk_id"]
    told = " ".join(by_title[MAN[0]]["via"])
    assert f"graph: names: blood orchid <-names- {film} -names-> leonid varnava <-names-" in told
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_a_surrogate_joins_as_the_name_does(layout: Layout, wiki: Path) -> None:
    layout.settings.write_text(PLAIN)
    ingest(layout, wiki)
    hits = found(layout)
    assert all("Varnava" not in hit["text"] for hit in hits)
    assert any("harbour" in hit["text"] for hit in hits)


def test_the_setting_turns_it_off(layout: Layout, wiki: Path) -> None:
    ingest(layout, wiki)
    layout.settings.write_text(SETTINGS + "[retrieve]\ngraph = false\n")
    assert titles(found(layout)) == titles(found(layout, mode="hybrid"))


def test_a_question_of_another_form_is_not_walked(layout: Layout, wiki: Path) -> None:
    ingest(layout, wiki)
    hits = found(layout, "When was Blood Orchid made?")
    assert not any("names" in way for hit in hits for way in hit["via"])


def test_names_come_and_go_with_their_documents(layout: Layout, wiki: Path) -> None:
    ingest(layout, wiki)
    page = wiki / "Leonid_Varnava.html"
    commands.run(layout.root, "forget", {"what": str(page)})
    assert MAN[0] not in titles(found(layout))
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert naming.is_whole(kit)
    commands.run(layout.root, "ingest", {"paths": [str(page)], "restore": True})
    assert MAN[0] in titles(found(layout))


def test_ingesting_again_or_in_another_order_makes_the_same_graph(
    layout: Layout, wiki: Path, tmp_path: Path
) -> None:
    ingest(layout, wiki)
    once = found(layout)
    commands.run(layout.root, "ingest", {"paths": [str(wiki)], "again": True})
    assert found(layout) == once
    other = workspace.create(tmp_path / "other")
    other.settings.write_text(SETTINGS)
    shutil.copy(layout.journal / "secret.txt", other.journal)  # else ids differ
    ingest(other, wiki / "Leonid_Varnava.html")
    ingest(other, wiki)
    assert found(other) == once


def test_no_chart_is_bridged(layout: Layout, wiki: Path, tmp_path: Path) -> None:
    """Two charts and a page: the charts name the film, and one the house of the page."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, mrn in (("Marguerite Okonkwo", "88123401"), ("Ignatius Vanterpool", "88123402")):
        (notes / f"{mrn}.txt").write_text(NOTE.format(name=name, mrn=mrn))
    house = ("Quillgate House", "Quillgate House stands on a hill and was built of red brick.")
    ingest(layout, write(wiki, house), notes)
    hits = found(layout)
    assert {FILM[0], MAN[0]} <= set(titles(hits))
    assert house[0] not in titles(hits), "only a chart leads there"
    chart = found(layout, "MRN 88123401", k=1)[0]["group"]
    asked = f"For MRN 88123401: {QUESTION}"
    hits = found(layout, asked, k=20)
    assert {hit["group"] for hit in hits} <= {"", chart}
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        known = kit.passages
        assert known is not None
        groups = {
            one.id: one.group for one in kit.corpus.chunks([i.decode() for i in known.graph.ids])
        }
        assert len({group for group in groups.values() if group}) == 2, "both charts are in it"
        assert sum(known.charts) == sum(bool(group) for group in groups.values())


def test_a_crash_before_the_names_are_kept_is_mended(
    layout: Layout, wiki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(derive.naming, "note", crash)
        with pytest.raises(KeyboardInterrupt):
            ingest(layout, wiki)
    settings = workspace.load_settings(layout)
    with open_kit(layout, settings) as kit:
        assert kit.corpus.counts()["documents"] == 9
        assert kit.names.count() == 0
    assert MAN[0] in titles(found(layout)), "the next command repairs it first"
    with open_kit(layout, settings) as kit:
        assert naming.is_whole(kit)


def test_other_marks_are_made_anew(
    layout: Layout, wiki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("aegle.retrieve.marks.VERSION", "names/0")
        ingest(layout, wiki)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert not naming.is_whole(kit)
    commands.run(layout.root, "reindex", {})
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert naming.is_whole(kit)
    assert MAN[0] in titles(found(layout))


def test_a_damaged_name_book_is_told_with_the_remedy(layout: Layout, wiki: Path) -> None:
    ingest(layout, wiki)
    kept = b"".join(path.read_bytes() for path in layout.names.parent.iterdir()).lower()
    assert b"varnava" not in kept, "it holds no word"
    damage(layout)
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        found(layout)
    assert found(layout, mode="hybrid"), "it is not used there"
    own = layout.names.parent / "mine.txt"
    own.write_text("a user's own")
    commands.run(layout.root, "reindex", {})
    assert MAN[0] in titles(found(layout))
    assert own.exists(), "only what is the name book's goes"


def damage(layout: Layout) -> None:
    for path in derived.files(layout.names):
        path.write_bytes(b"damaged")


def test_a_damaged_name_book_keeps_nobody_from_forgetting(layout: Layout, wiki: Path) -> None:
    ingest(layout, wiki)
    damage(layout)
    told = commands.run(layout.root, "forget", {"what": str(wiki / "Aldine_Awards.html")})
    assert told["documents"] == 1
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert not naming.is_whole(kit)
        assert kit.passages is None
    assert not any("names" in way for hit in found(layout) for way in hit["via"])
    commands.run(layout.root, "reindex", {})
    assert MAN[0] in titles(found(layout))


def test_a_name_book_of_some_passages_leads_nowhere(
    layout: Layout, wiki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace from before names were kept, and a page that came later."""
    ingest(layout, wiki)
    shutil.rmtree(layout.names.parent)
    ingest(layout, write(tmp_path / "later", ("Blood Orchid House", "Blood Orchid is a house.")))
    capsys.readouterr()
    assert not any("names" in way for hit in found(layout) for way in hit["via"])
    assert "aegle reindex" in capsys.readouterr().err
    commands.run(layout.root, "reindex", {})
    assert MAN[0] in titles(found(layout))


def test_a_write_that_breaks_off_leaves_no_old_graph(
    layout: Layout, wiki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(layout, wiki)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert kit.passages is not None
        monkeypatch.setattr(type(kit.index), "add", _crash)
        with pytest.raises(KeyboardInterrupt):
            derive.index_stored(kit, list(kit.corpus.scan()))
        assert "passages" not in vars(kit)


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_charts_change_no_answer_that_may_not_see_them(
    layout: Layout, wiki: Path, tmp_path: Path
) -> None:
    """What a walk met, and how, before and after charts came that name the same."""
    ingest(layout, wiki)
    before = walked(layout)
    notes = tmp_path / "notes"
    notes.mkdir()
    for n in range(4):
        note = NOTE.format(name=f"Marguerite Okonkwo{'abcd'[n]}", mrn=f"8812340{n}")
        (notes / f"{n}.txt").write_text(f"{note} Harbour of Paphos. Leonid Varnava was there.")
    ingest(layout, notes)
    assert before and walked(layout) == before


def walked(layout: Layout) -> list[str]:
    known = [QUESTION, "Leonid Varnava", "Paphos"]
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        passages = kit.passages
        assert passages is not None
        seen = ~passages.charts
        keys = [one.key for text in known for one in passages.graph.link(text, seen=seen)]
        met = passages.graph.walk(keys, {}, focus=lambda at: np.zeros(len(at)), seen=seen)
        return [str(one) for one in met]


PAGES = {
    "pump": ("The Alder Pump runs firmware of Quillgate.", "healthcare", "Alder Pump"),
    "ward": ("Nurses hang Meropenem Drips on the Alder Pump.", "healthcare", "Meropenem Drips"),
    "flaw": ("Night Heron breaks into the firmware of Quillgate.", "cybersecurity", "Night Heron"),
    "menu": ("Friday Lunch is soup.", "general", "Friday Lunch"),
    "chart": ("Saw Friday Lunch, and Night Heron on the screen.", "healthcare", "Visit Summary"),
}


@pytest.fixture
def both(tmp_path: Path) -> Iterator[naming.Passages]:
    """Pages of care, of security and of neither, and a chart."""
    book = NameBook(tmp_path / "names.sqlite")
    chunks = [
        Chunk(item, item, 0, len(text), SafeText(text, by="test"), SafeText(title, by="test"),
              "note", domain, "patient:1" if item == "chart" else "")
        for item, (text, domain, title) in PAGES.items()
    ]  # fmt: skip
    some = np.eye(len(chunks), dtype=np.float32)
    book.put(chunks, [marks.read(one.title, one.text) for one in chunks], some)
    yield naming.Passages(book)
    book.close()


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("Alder Pump", "healthcare"),
        ("Night Heron", "cybersecurity"),  # a chart has it too, which nobody may see here
        ("Quillgate", ""),
        ("Friday Lunch", ""),
        ("Unheard Of", ""),
    ],
)
def test_a_name_is_of_the_domain_that_alone_has_it(
    both: naming.Passages, name: str, domain: str
) -> None:
    assert both.domain_of(key_of(name), seen=~both.charts) == domain


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("Does Night Heron reach the Alder Pump?", "cross-domain"),
        ("What hangs on the Alder Pump?", "single"),
        ("Is Friday Lunch beside the Alder Pump?", "multi-hop"),
    ],
)
def test_what_names_care_and_security_crosses_domains(
    both: naming.Passages, question: str, route: str
) -> None:
    seen = ~both.charts
    made = planned(
        question, both.graph, seen=seen, domain_of=lambda key: both.domain_of(key, seen=seen)
    )
    assert (made.route, made.walks) == (route, route != "single")
