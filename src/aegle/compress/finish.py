"""A compressed model's folder: a graph beside what goes with it, or GGUF; card, manifest."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnx

from aegle.compress.method import Made
from aegle.compress.source import Source
from aegle.core.artifacts import (
    describe,
    read_json,
    sha256_tree,
    write_bytes,
    write_json,
    write_manifest,
)
from aegle.lm.fetch import MANIFEST, made_whole
from aegle.lm.tagger import CARD, GRAPH, HEADS, LEXICAL

_BESIDE: Final = (
    "tokenizer.json",
    "config.json",
    "1_Pooling/config.json",
    "weighing.json",
    HEADS,
    LEXICAL,
)
_DONE: Final = "manifest.json"


def write(
    source: Source,
    graph: onnx.ModelProto,
    out: Path,
    *,
    method: str,
    about: Mapping[str, Any],
    texts: Sequence[str],
) -> Made:
    """Write the folder whole or not at all; what was there is replaced.

    Args:
        source: what the graph was made of; its folder's small files are copied.
        graph: the smaller one.
        out: the folder.
        method: for the card.
        about: what the method chose.
        texts: that calibrated; the card keeps their hash and number, never a word.
    """
    parent = sha256_tree(source.folder)
    told = {"method": method, **about, "parent": parent, "calibration": calibration(texts)}
    with made_whole(out) as into:
        write_bytes(into / GRAPH, graph.SerializeToString())
        for name in _BESIDE:
            if (source.folder / name).is_file():
                (into / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source.folder / name, into / name)
        if (into / "config.json").is_file():
            config = {**read_json(into / "config.json"), "num_hidden_layers": source.shape.layers}
            write_json(into / "config.json", config)
        _carded(source.folder, into, told)
    return Made(out, size_of(out), dict(about))


def seal(
    source: Path, into: Path, *, method: str, about: Mapping[str, Any], texts: Sequence[str]
) -> None:
    """A card and a manifest for a folder that holds the smaller model already; as for `write`."""
    told = {"method": method, **about, "parent": sha256_tree(source)}
    _carded(source, into, {**told, "calibration": calibration(texts)})


def _carded(source: Path, into: Path, told: Mapping[str, Any]) -> None:
    card = read_json(source / CARD) if (source / CARD).is_file() else {}
    if "version" in card:  # facts that it finds are another version's
        card["version"] = f"{card['version']}+{told['method']}-{_short(told)}"
    write_json(into / CARD, {**card, "compressed": told})
    _sign(into, told["parent"], _licence(source, card), told)


def copied(folder: Path, out: Path, scored: Mapping[str, Any]) -> None:
    """A compressed model's folder as another, whole or not at all, its card with its scores."""
    told = {**read_json(folder / _DONE)["compressed"], "scored": dict(scored)}
    with made_whole(out) as into:
        shutil.copytree(folder, into, dirs_exist_ok=True)
        card = read_json(into / CARD)
        write_json(into / CARD, {**card, "compressed": told})
        _sign(into, told["parent"], _licence(folder, card), told)


def _sign(into: Path, parent: str, licence: str, told: Mapping[str, Any]) -> None:
    files = [
        replace(
            describe(path, made_from=(parent,), licence=licence),
            path=path.relative_to(into).as_posix(),
        )
        for path in sorted(into.rglob("*"))
        if path.is_file() and path.name != _DONE
    ]
    write_manifest(into / _DONE, files, compressed=told)


def calibration(texts: Sequence[str]) -> dict[str, Any]:
    """How many texts calibrated, and the SHA-256 of them all; empty for none."""
    if not texts:
        return {}
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return {"texts": len(texts), "sha256": digest.hexdigest()}


def size_of(folder: Path) -> int:
    """What a model takes on disk, but for the manifest, which only tells of the others."""
    return sum(
        one.stat().st_size for one in folder.rglob("*") if one.is_file() and one.name != _DONE
    )


def _short(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:8]


def _licence(folder: Path, card: Mapping[str, Any]) -> str:
    """The licence that the parent states: in its card, else in its manifest."""
    if isinstance(card.get("licence"), str):
        return str(card["licence"])
    told = [
        one
        for name in (_DONE, MANIFEST)
        if (folder / name).is_file()
        for one in read_json(folder / name).get("artifacts", [])
    ]
    return " AND ".join(sorted({one["licence"] for one in told if one.get("licence")}))
