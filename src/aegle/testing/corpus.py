"""The contract of a corpus store, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make, folder)`` with an empty folder for each; ``make(folder)`` opens
the store that lives there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aegle.core.ports import CorpusStore
from aegle.core.records import (
    Chunk,
    Concept,
    Document,
    Edit,
    Entity,
    Facts,
    Link,
    Mention,
    Relation,
    Stored,
    content_id,
)
from aegle.core.text import RawText, SafeText

Make = Callable[[Path], CorpusStore]


def stored(name: str, text: str, *, group: str = "patient:0123456789ab") -> Stored:
    """A document with a chunk for each line, and facts about its first two characters."""
    safe = SafeText(text, by="testing")
    mention = Mention(0, 1, "patient", (Concept("SNOMED", "1", "é"),), ref=RawText("0a1b"))
    doc = Document(
        *(content_id(name), "note", "healthcare", safe, SafeText(f"About {name}", by="testing")),
        *(group, "2024-01-02", "source-1", (mention, Mention(1, 2, "condition"))),
        links=(Link(0, 1, "has_condition", "2024"),),
        edits=(Edit(0, 1, 0, 5, "name"),),
        meta={"sender": SafeText("somebody", by="testing")},
    )
    chunks, start = [], 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        at = (content_id(doc.id, str(start), str(end)), doc.id, start, end, safe.cut(start, end))
        chunks.append(Chunk(*at, doc.title, doc.kind, doc.domain, doc.group, doc.time))
        start = end
    entities = tuple(
        Entity(
            content_id(doc.id, "entity", str(i)), doc.id, i, i + 1, safe.cut(i, i + 1),
            "condition", f"condition:{i}", "negated", (Concept("ICD10CM", "E11.9"),), 0.5,
            "2024", "testing/1",
        )
        for i in range(2)
    )  # fmt: skip
    tie = Relation(
        content_id(doc.id, "relation"), doc.id, entities[0].id, entities[1].id, "treats", 0, 2
    )
    return Stored(doc, tuple(chunks), Facts(entities, (tie,)))


def returns_what_was_put(make: Make, folder: Path) -> None:
    """Records come back equal, also after closing and opening, in the order asked for."""
    batch = [
        stored(str(i), f"first line {i}\nsecond, über 漢字 \ud800 \0 line\n") for i in range(7)
    ]
    store = make(folder)
    store.put(batch)
    store.close()
    store = make(folder)
    ids = [one.document.id for one in batch]
    assert store.get([*ids[::-1], "absent"]) == [one.document for one in batch[::-1]]
    chunks = [chunk for one in batch for chunk in one.chunks]
    assert store.chunks([chunk.id for chunk in chunks]) == chunks
    assert store.get([ids[0], ids[0]]) == [batch[0].document] * 2
    assert store.get([]) == [] and store.chunks(["absent"]) == []
    store.close()


def scans_in_order(make: Make, folder: Path) -> None:
    """Every document once, whole, in the order of its id; an empty store scans as nothing."""
    store = make(folder)
    assert list(store.scan()) == []
    batch = [stored(str(i), f"line {i}\n") for i in range(173)]
    store.put(batch)
    assert list(store.scan()) == sorted(batch, key=lambda one: one.document.id)
    store.close()


def replaces(make: Make, folder: Path) -> None:
    """A document put again loses the chunks and facts that it no longer has."""
    store = make(folder)
    old, new = stored("a", "one\ntwo\nthree\n"), stored("a", "one\nother\n")
    store.put([old])
    store.put([new])
    assert list(store.scan()) == [new]
    gone = {chunk.id for chunk in old.chunks} - {chunk.id for chunk in new.chunks}
    assert gone and store.chunks(sorted(gone)) == []
    store.put([old, new, old])
    assert list(store.scan()) == [old], "within a batch the last one counts"
    store.close()


def removes_every_byte(make: Make, folder: Path) -> None:
    """After `remove` no file of the store holds anything of the document, open or closed."""
    store = make(folder)
    kept = [stored(f"k{i}", f"kept {i} " * 40 + "\n") for i in range(60)]
    secrets = [f"zanzibar{i:03d}" for i in range(60)]
    gone = [stored(s, f"{s} was here " * (1 + 11 * i) + "\n") for i, s in enumerate(secrets)]
    for one, other in zip(kept, gone, strict=True):
        store.put([one, other])
    ids = [one.document.id for one in gone]
    assert store.remove([*ids, ids[0], "absent"]) == len(ids)
    assert store.remove(ids) == 0
    assert list(store.scan()) == sorted(kept, key=lambda one: one.document.id)
    needles = [b"zanzibar", *(document_id.encode() for document_id in ids)]
    for _ in range(2):
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            left = sum(needle in content for needle in needles)
            assert not left, f"{path.name} still holds {left} of the removed strings"
        store.close()


def keeps_a_batch_whole(make: Make, folder: Path) -> None:
    """A batch that fails in the middle leaves nothing of itself."""
    store = make(folder)
    store.put([stored("a", "before\n")])
    good, other = stored("b", "good\n"), stored("c", "other\n")
    bad = Stored(good.document, other.chunks, good.facts)
    try:
        store.put([good, other, bad])
    except Exception:
        assert [one.document.id for one in store.scan()] == [content_id("a")]
    else:
        raise AssertionError("a document with another document's chunks was stored")
    finally:
        store.close()


def serves_threads(make: Make, folder: Path) -> None:
    """Threads may read and write at once; nothing is lost, and a scan meanwhile does not fail."""
    store = make(folder)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(10):
                one = stored(f"{number}/{i}", f"line {i}\n")
                store.put([one])
                assert store.get([one.document.id]) == [one.document]
                assert sum(1 for _ in store.scan()) >= i
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert sum(1 for _ in store.scan()) == 40
    store.close()


def closes_twice(make: Make, folder: Path) -> None:
    """Closing again is harmless."""
    store = make(folder)
    store.close()
    store.close()


CHECKS: Final[tuple[Callable[[Make, Path], None], ...]] = (
    returns_what_was_put,
    scans_in_order,
    replaces,
    removes_every_byte,
    keeps_a_batch_whole,
    serves_threads,
    closes_twice,
)
"""Every promise of a `CorpusStore`."""
