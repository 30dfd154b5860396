"""A model for another server: Triton, TorchServe, BentoML, or a decoder as an ONNX graph."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from aegle.compress.source import DECODER, kind_of
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import Progress
from aegle.flows.export_files import FORMATS
from aegle.lm.alone import KINDS, Alone
from aegle.lm.catalog import resolve
from aegle.lm.fetch import made_whole

BATCH: Final = 16
ONNX: Final = "onnx"
TARGETS: Final = (*FORMATS, ONNX)
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,49}")


def export(
    target: str, model: str, out: Path, *, name: str = "", bits: int = 32, progress: Progress
) -> dict[str, Any]:
    """Write what a server loads; whole or not at all.

    Args:
        target: one of `TARGETS`. ``onnx`` takes generators, the others what `KINDS` names.
        model: a name of the catalog, ``path:`` or a folder.
        out: a new or empty folder.
        name: of the model there: small letters, digits, dashes; the folder's own when empty.
        bits: of ``onnx``: 32, 8 or 4.
        progress: told of the steps.

    Raises:
        UsageError: an unknown target, a bad name, or a folder that holds something.
        InputError: a model that this server can't be given.
    """
    if target not in TARGETS:
        raise UsageError(f"no export to {target!r}; there are: {', '.join(TARGETS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something; name a new folder")
    source = Path(model) if Path(model).exists() else resolve(model, progress=progress)
    name = name or re.sub(r"[^a-z0-9]+", "-", source.stem.lower()).strip("-") or "model"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: small letters, digits and dashes, --name model-1")
    kind = kind_of(source)
    told = {"target": target, "name": name, "kind": kind, "folder": str(out)}
    if target == ONNX:
        return told | _graph(source, kind, out, bits, progress)
    if kind not in KINDS:
        raise InputError(
            f"{source} is a {kind}; {target} takes {', '.join(KINDS)}. A generator: aegle export "
            "onnx, or `aegle serve`; pairs: `aegle serve`, /v1/rerank"
        )
    Alone(source, kind).close()  # what can't be opened here can't be there
    about = {"name": name, "kind": kind, "version": version("aegle"), "batch": str(BATCH)}
    with made_whole(out) as into:
        FORMATS[target](into, lambda folder: _copy(source, folder), **about)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return told | {"bytes": size}


def _graph(source: Path, kind: str, out: Path, bits: int, progress: Progress) -> dict[str, Any]:
    from aegle.compress.decoders import DECODERS
    from aegle.flows.compressing import floats

    if kind != DECODER:
        raise InputError(f"{source} is a {kind}: its model.onnx is a graph; onnx is for generators")
    folder, _ = floats(kind, source)
    made = DECODERS["onnx"](folder, out, texts=(), settings={"bits": bits}, progress=progress)
    return {"bytes": made.bytes, **made.about}


def _copy(source: Path, folder: Path) -> None:
    """The files of a model without what training left beside it, and no symbolic links."""
    folder.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix in (".json", ".onnx", ".data", ".safetensors", ".txt"):
            into = folder / path.relative_to(source)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into)
