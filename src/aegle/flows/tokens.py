"""Token vectors of chunks: kept when they are indexed, compared when first hits are read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from aegle.core import observe
from aegle.core.errors import WorkspaceError
from aegle.core.ports import Reranker, Scores
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.flows import rerankers
from aegle.flows.kit import Kit
from aegle.flows.workspace import Layout
from aegle.lm.token_vectors import maxsim
from aegle.retrieve import derived, token_codes
from aegle.retrieve.token_book import TokenBook
from aegle.retrieve.token_codes import Codec

_TOGETHER: Final = 64
"""Chunks whose vectors are in memory at a time: with minilm 25 MB of them at the most."""

_HINT: Final = "token vectors of some hits are not kept, their texts are read; run: aegle reindex"


def opened(kit: Kit) -> TokenBook:
    """The workspace's token book."""
    book = TokenBook(kit.layout.tokens)
    kit.closes(book)
    return book


def ready(kit: Kit) -> None:
    """Open what makes token vectors, where the settings ask for them, before anything is written.

    Raises:
        AegleError: the encoder is not there, or has no token vectors.
    """
    if _is_on(kit):
        kit.late  # noqa: B018


def passage(chunk: Chunk) -> SafeText:
    """What a reranker reads of a chunk."""
    return chunk.text.after(chunk.title)


def note(kit: Kit, chunks: Sequence[Chunk]) -> None:
    """Keep token vectors of chunks where the settings ask for it; of a document all together."""
    if _is_on(kit) and chunks:
        kit.token_book.put(chunks, _codes(kit, chunks), made_by=_made_by(kit))


def _codes(kit: Kit, chunks: Sequence[Chunk]) -> Iterator[bytes]:
    codec = _codec(kit)
    for start in range(0, len(chunks), _TOGETHER):
        texts = [passage(one) for one in chunks[start : start + _TOGETHER]]
        place = {text: n for n, text in enumerate(dict.fromkeys(texts))}
        codes = [codec.encode(one) for one in kit.late.vectors(list(place))]
        yield from (codes[place[text]] for text in texts)


def is_whole(kit: Kit) -> bool:
    """Whether what the settings ask for is kept of every chunk, as it would be made now."""
    total = kit.corpus.counts()["chunks"]
    if not _is_on(kit) or not total:
        return True
    try:
        return kit.token_book.counts() == {_made_by(kit): total}
    except WorkspaceError:
        return False  # it is damaged, and will be built anew


def remove(kit: Kit, document_ids: Sequence[str]) -> None:
    """Remove the token vectors of some documents, also where the settings ask for none any more.

    A damaged token book goes as a whole: it is derived, and must not keep anybody from forgetting.
    Hits without token vectors are read.
    """
    if not kit.layout.tokens.exists():
        return
    try:
        kit.token_book.remove(document_ids)
    except WorkspaceError as error:
        if not derived.is_damage(error):
            raise
        kit.drop("token_book")
        unlink(kit.layout)
        observe.event("tokens.dropped", level="warning", what=observe.Label(_HINT))


def unlink(layout: Layout) -> None:
    """Remove the files of the token book, and no other."""
    derived.unlink(layout.tokens)


def clear(kit: Kit, *, keep: bool) -> None:
    """Before chunks are indexed anew: let go of what is kept, unless it may stay and is wanted."""
    if not keep or not _is_on(kit):
        kit.drop("token_book")
        unlink(kit.layout)


def scores(kit: Kit, reranker: Reranker, question: str, chunks: Sequence[Chunk]) -> Scores:
    """How well chunks answer, by the kit's reranker.

    Late interaction takes token vectors that are kept, and reads the texts of the other chunks.

    Args:
        question: de-identified.
        chunks: at least one.

    Raises:
        WorkspaceError: the token book is damaged.
        BackendError: the reranker did not answer as it should.
    """
    if not (_is_on(kit) and rerankers.is_late(kit.settings)):
        return reranker.score(question, [passage(one) for one in chunks])
    (asked_QC,) = kit.late.vectors([question])
    ids = [one.id for one in chunks]
    known = kit.token_book.scores(asked_QC, ids, codec=_codec(kit), made_by=_made_by(kit))
    others = [one for one in chunks if one.id not in known]
    if others:
        if not kit.ledger.pending():
            observe.event("tokens.missing", level="warning", what=observe.Label(_HINT))
        read = kit.late.vectors([passage(one) for one in others])
        known |= {one.id: maxsim(asked_QC, v) for one, v in zip(others, read, strict=True)}
    return np.array([known[one.id] for one in chunks], np.float32)


def _is_on(kit: Kit) -> bool:
    return kit.settings.retrieve.token_vectors in token_codes.CODECS


def _codec(kit: Kit) -> Codec:
    return token_codes.codec(kit.settings.retrieve.token_vectors, kit.late.width)


def _made_by(kit: Kit) -> str:
    """What makes token vectors now: version, codec and encoder."""
    kept = kit.settings.retrieve.token_vectors
    return f"{token_codes.VERSION}:{kept}:{rerankers.late_model(kit.settings)}"
