"""The contract of an index, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make, folder)`` with an empty folder for each; ``make(folder)`` opens
the index of width `WIDTH` that lives there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from aegle.core.errors import AegleError, WorkspaceError
from aegle.core.ports import Index, Vectors
from aegle.core.records import Chunk, content_id
from aegle.core.text import SafeText

WIDTH: Final = 16

Make = Callable[[Path], Index]


def chunk(name: str, text: str, *, document: str = "", group: str = "", **about: str) -> Chunk:
    """A chunk that is a whole document, unless ``document`` names another."""
    safe = SafeText(text, by="testing")
    return Chunk(
        *(content_id(name), document or content_id("document", name), 0, len(text), safe),
        *(SafeText("", by="testing"), about.get("kind", "note"), about.get("domain", "general")),
        group=group,
    )


def vectors(count: int, *, seed: int = 0) -> Vectors:
    """Unit vectors, no two alike."""
    drawn: Vectors = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def files_holding(folder: Path, needles: Sequence[bytes]) -> list[str]:
    """The names of files under a folder that hold any of some bytes."""
    found = []
    for path in folder.rglob("*"):
        # Engines reserve files of many megabytes that are mostly zeros at the end.
        content = path.read_bytes().rstrip(b"\0") + bytes(64) if path.is_file() else b""
        if any(needle in content for needle in needles):
            found.append(path.name)
    return sorted(found)


def finds_the_nearest(make: Make, folder: Path) -> None:
    """Dense search ranks by cosine exactly as comparing every vector does."""
    index, known = make(folder), vectors(200)
    chunks = [chunk(str(i), f"chunk {i}") for i in range(200)]
    index.add(chunks, known)
    for query in vectors(5, seed=1):
        expected = [chunks[i].id for i in np.argsort(-(known @ query), kind="stable")[:10]]
        found = index.search_dense(query * 3, k=10)
        assert [item for item, _ in found] == expected
        assert all(a[1] >= b[1] for a, b in pairwise(found))
    index.close()


def finds_by_words(make: Make, folder: Path) -> None:
    """Rare words outweigh common ones; identifiers are found whole and by their parts."""
    texts = {
        "fever": "Fever and cough, no rash.",
        "cough": "Cough for three days. Cough at night.",
        "pump": "Infusion pump PUMP-0042 rebooted at 10.0.0.5 twice.",
        "cve": "CVE-2024-1234 affects the pump firmware.",
        "other": "CVE-2024-9999 affects a web server.",
    }
    index = make(folder)
    chunks = {name: chunk(name, text) for name, text in texts.items()}
    index.add(list(chunks.values()), vectors(len(chunks)))

    def best(query: str) -> str:
        found = index.search_text(query, k=5)
        return next(name for name, one in chunks.items() if found and one.id == found[0][0])

    assert best("RASH") == "fever"
    assert best("coughs") == "cough"
    assert best("pump-0042") == "pump"
    assert best("what happened on 10.0.0.5?") == "pump"
    assert best("cve-2024-1234") == "cve"
    assert best("0042") == "pump"
    assert index.search_text("zebra", k=5) == []
    assert index.search_text("the of and", k=5) == []
    assert index.search_text("?!", k=5) == []
    index.close()


def keeps_to_the_filter(make: Make, folder: Path) -> None:
    """Both searches return all that is allowed and nothing else; no allowed value, nothing."""
    index = make(folder)
    chunks = [
        chunk(
            *(str(i), "same words"),
            document=f"d{i % 5}",
            group=f"patient:{i % 3}",
            kind=("note", "log")[i % 2],
            domain=("healthcare", "cybersecurity")[i % 2],
        )
        for i in range(60)
    ]
    known = vectors(60)
    index.add(chunks, known)
    filters: list[dict[str, Sequence[str]]] = [
        {"group": ["patient:1"]},
        {"document_id": ["d0", "d3"]},
        {"kind": ["note"], "group": ["patient:0", "patient:2"]},
        {"domain": ["cybersecurity"], "document_id": ["d1"]},
        {"group": []},
        {"group": ["patient:none"]},
    ]
    for where in filters:
        allowed = {
            one.id
            for one in chunks
            if all(getattr(one, field) in values for field, values in where.items())
        }
        dense = index.search_dense(known[0], k=100, where=where)
        assert {item for item, _ in dense} == allowed
        text = index.search_text("words", k=100, where=where)
        assert {item for item, _ in text} == allowed
    index.close()


def breaks_ties_by_id(make: Make, folder: Path) -> None:
    """Equal chunks come in the order of their ids, whatever k cuts off, in whatever order added."""
    index = make(folder)
    chunks = [chunk(str(i), "copied forward") for i in range(40)]
    index.add(chunks, np.repeat(vectors(1), 40, axis=0))
    expected = sorted(one.id for one in chunks)
    for k in (1, 7, 39, 100):
        assert [item for item, _ in index.search_text("copied", k=k)] == expected[:k]
        assert [item for item, _ in index.search_dense(vectors(1)[0], k=k)] == expected[:k]
    index.close()


def replaces(make: Make, folder: Path) -> None:
    """Adding again changes nothing; adding another text under the id replaces the old one."""
    index, known = make(folder), vectors(2)
    first = chunk("a", "old words")
    for _ in range(2):
        index.add([first], known[:1])
        assert index.count() == 1
    index.add([chunk("a", "new text")], known[1:])
    assert index.count() == 1
    assert index.search_text("old", k=5) == []
    assert [item for item, _ in index.search_text("new", k=5)] == [first.id]
    assert index.search_dense(known[1], k=1)[0][1] > 0.999
    index.close()


def removes_every_byte(make: Make, folder: Path) -> None:
    """After `remove` no file holds a removed chunk's id, document, group or vector."""
    index, known = make(folder), vectors(50)
    chunks = [chunk(f"c{i}", f"word{i} xyzzy", document=f"doc-{i // 5}-", group=f"patient:{i:09}")
              for i in range(50)]  # fmt: skip
    index.add(chunks, known)
    index.add(chunks[:5], known[::-1][:5])
    index.remove(["doc-0-", "doc-7-", "never-seen"])
    gone = [i for i in range(50) if i // 5 in (0, 7)]
    needles = [
        needle
        for i in gone
        for needle in (
            chunks[i].id.encode(),
            chunks[i].document_id.encode(),
            chunks[i].group.encode(),
            known[i].tobytes()[:32],
            struct.pack("<4d", *known[i][:4]),
        )
    ]
    for _ in range(2):
        assert index.count() == 40
        left = {item for item, _ in index.search_text("xyzzy", k=100)}
        assert left == {one.id for i, one in enumerate(chunks) if i not in gone}
        # An engine may keep numbers as it likes: 32 bytes of a vector do not occur by chance.
        assert files_holding(folder, needles) == []
        index.close()
        index = make(folder)
    index.remove(sorted({one.document_id for one in chunks}))
    assert index.count() == 0
    assert index.search_dense(known[3], k=3) == []
    index.add(chunks, known)
    assert index.count() == 50
    index.close()


def keeps_no_text(make: Make, folder: Path) -> None:
    """No file holds a word of a chunk."""
    index = make(folder)
    index.add([chunk("a", "the xyzzyplugh of plover")], vectors(1))
    index.close()
    assert files_holding(folder, [b"xyzzyplugh", b"plover", b"XYZZY"]) == []


def has_one_owner(make: Make, folder: Path) -> None:
    """A second opener is told, at once; after `close` it may."""
    index = make(folder)
    try:
        make(folder)
    except WorkspaceError:
        pass
    else:
        raise AssertionError("two openers of one folder")
    index.close()
    index.close()
    make(folder).close()


def refuses_nonsense(make: Make, folder: Path) -> None:
    """Vectors of a wrong shape or with NaN are refused and change nothing; so is a closed index."""
    index = make(folder)
    one = [chunk("a", "a")]
    bad = np.full((1, WIDTH), np.nan, np.float32)
    for given in (vectors(2), vectors(1)[:, :4], bad):
        _must_fail(lambda given=given: index.add(one, given))  # type: ignore[misc]
    assert index.count() == 0
    index.add([], np.empty((0, WIDTH), np.float32))
    assert index.search_dense(vectors(1)[0], k=5) == []
    _must_fail(lambda: index.search_text("a", k=5, where={"text": ["a"]}))
    index.close()
    _must_fail(lambda: index.add(one, vectors(1)))


def _must_fail(step: Callable[[], object]) -> None:
    try:
        step()
    except AegleError:
        return
    raise AssertionError("nonsense was accepted")


CHECKS: Final[tuple[Callable[[Make, Path], None], ...]] = (
    finds_the_nearest,
    finds_by_words,
    keeps_to_the_filter,
    breaks_ties_by_id,
    replaces,
    removes_every_byte,
    keeps_no_text,
    has_one_owner,
    refuses_nonsense,
)
"""Every promise of an `Index`."""
