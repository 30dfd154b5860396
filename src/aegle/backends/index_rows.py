"""What every index keeps of a chunk: filter fields, hashed terms with BM25 weights, a unit vector.

Also what they all owe a caller: checks of what comes in, an order that ties cannot shuffle, a
folder with one owner and a marker that says what is in it, errors that are ours.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.backends.lock import FolderLock
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import AegleError, BackendError, UsageError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

FIELDS: Final = ("document_id", "group", "domain", "kind")
K1: Final = 1.2
B: Final = 0.75
"""Robertson & Zaragoza (2009), The probabilistic relevance framework: BM25 and beyond."""

AVERAGE_TERMS: Final = 96
"""Terms of an average chunk. A constant, because a stored weight cannot follow the true mean."""

FORMAT: Final = 1


def words(chunk: Chunk) -> list[str]:
    """The search terms of a chunk with its title, in order."""
    return terms(chunk.title) + terms(chunk.text)


def weigh(found: Sequence[str]) -> dict[str, float]:
    """The BM25 weight of each term in a chunk, without the idf, which the engine knows."""
    norm = K1 * (1 - B + B * len(found) / AVERAGE_TERMS)
    return {term: n * (K1 + 1) / (n + norm) for term, n in Counter(found).items()}


def term_id(term: str) -> int:
    """A term as a number of 32 bits: an index keeps no text."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def hashed(weights: Mapping[str, float], *, below: int = 1 << 32) -> dict[int, float]:
    """Weights by `term_id`, those of terms that share one (modulo ``below``) added up."""
    summed: dict[int, float] = {}
    for term, weight in weights.items():
        key = term_id(term) % below
        summed[key] = summed.get(key, 0.0) + weight
    return summed


def checked_filter(where: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]] | None:
    """A filter's values, sorted, once each; ``{}`` for no filter, None if nothing can match.

    Raises:
        UsageError: it names another field than `FIELDS`.
    """
    unknown = set(where or ()) - set(FIELDS)
    if unknown:
        raise UsageError(
            f"an index filters by {', '.join(FIELDS)}; got {', '.join(sorted(unknown))}"
        )
    wanted = {field: sorted(set(values)) for field, values in (where or {}).items()}
    return wanted if all(wanted.values()) else None


def unit_rows(chunks: Sequence[Chunk], vectors: Vectors, width: int) -> Vectors:
    """The vectors of chunks at length 1; those that have it, and zeros, as they are.

    Raises:
        UsageError: the vectors have another shape, or are not finite.
    """
    if vectors.shape != (len(chunks), width):
        raise UsageError(
            f"{len(chunks)} chunks need vectors of shape ({len(chunks)}, {width}), "
            f"got {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise UsageError("a vector holds NaN or infinity; check the encoder")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[(norms == 0) | (np.abs(norms - 1) < 1e-5)] = 1
    return np.ascontiguousarray(vectors / norms, dtype=np.float32)


def unit_query(vector: Vectors, width: int) -> Vectors | None:
    """A query vector at length 1; None for one that points nowhere.

    Raises:
        UsageError: it has another shape.
    """
    if vector.shape != (width,):
        raise UsageError(f"a query vector has shape ({width},), got {vector.shape}")
    norm = np.linalg.norm(vector)
    if not np.isfinite(norm) or norm == 0:
        return None
    return np.ascontiguousarray(vector / norm, dtype=np.float32)


def last_of_each(chunks: Sequence[Chunk], vectors: Vectors) -> tuple[list[Chunk], Vectors]:
    """A batch in which each id stands once; what comes later wins."""
    place = {chunk.id: i for i, chunk in enumerate(chunks)}
    if len(place) == len(chunks):
        return list(chunks), vectors
    rows = list(place.values())
    return [chunks[i] for i in rows], vectors[rows]


def best(fetch: Callable[[int], list[Found]], k: int, *, most: int = 1 << 31) -> list[Found]:
    """The ``k`` best of what ``fetch(limit)`` returns, best first, ties by id.

    Copied notes and log lines tie by the dozen: looks on until the tie at place k is over, or
    ``most`` were fetched, which is what some servers give at once.
    """
    limit = min(k + 8, most)
    while True:
        found = [(chunk_id, round(score, 6)) for chunk_id, score in fetch(limit)]
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        if len(found) < limit or limit == most or found[-1][1] < found[k - 1][1]:
            return found[:k]
        limit = min(limit * 4, most)


@contextmanager
def telling(engine: str, advice: str, kind: type[AegleError] = BackendError) -> Iterator[None]:
    """Translate whatever an engine raises; its own words may quote what was indexed."""
    try:
        yield
    except AegleError:
        raise
    except Exception as error:
        raise kind(f"{engine} failed ({type(error).__name__}); {advice}") from error


class IndexFolder:
    """The right to an index's folder, and the marker in it that says what was made there.

    A folder without a marker is new: whatever an engine left there, or keeps on a server under
    the index's name, is from a beginning that was cut short or from before ``aegle reindex``.

    Args:
        path: the folder; made when missing.
        made_by: the backend's name.
        width: of the vectors.
        place: where the engine keeps them, for people; empty for in the folder.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: another backend made it, or it holds vectors of another width.
    """

    def __init__(self, path: Path, *, made_by: str, width: int, place: str = "") -> None:
        self.path = path
        self._about = {"format": FORMAT, "made_by": made_by, "width": width, "place": place}
        self._lock = FolderLock(path)
        self._marker = path / "index.json"
        try:
            self.is_new = not self._marker.exists()
            if self.is_new and (path / "shard").exists():
                raise WorkspaceError(f"{path} holds an index without its marker; run aegle reindex")
            if not self.is_new:
                check_marker(path, _read(self._marker), self._about)
        except BaseException:
            self._lock.release()
            raise

    def mark(self) -> None:
        """Say that the engine is ready here, so that it is not made anew."""
        write_json(self._marker, self._about)

    def release(self) -> None:
        """Let go; calling it twice is harmless."""
        self._lock.release()


def _read(marker: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = read_json(marker)
        return about | {"width": int(about["width"]), "format": int(about["format"])}
    except (AegleError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"the index in {marker.parent} is damaged; run aegle reindex"
        ) from error


def check_marker(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Compare what an index's marker says with what its opener wants.

    Raises:
        WorkspaceError: another backend made it, in another format, for another width or place.
    """
    made_by, place = found.get("made_by", "qdrant-edge"), found.get("place", "")
    if made_by != wanted["made_by"] or place != wanted.get("place", ""):
        left = f"; drop {place} unless something else uses it" if place else ""
        raise WorkspaceError(
            f"{path} was made by {made_by} ({place or 'in this folder'}), the settings say "
            f"{wanted['made_by']} ({wanted.get('place') or 'in this folder'}); "
            f"run aegle reindex{left}"
        )
    if found["format"] != wanted["format"]:
        raise WorkspaceError(
            f"{path} is an index of format {found['format']}, this version reads "
            f"{wanted['format']}; run aegle reindex"
        )
    if found["width"] != wanted["width"]:
        raise WorkspaceError(
            f"{path} holds vectors of width {found['width']}, the encoder makes "
            f"{wanted['width']}; run aegle reindex"
        )
