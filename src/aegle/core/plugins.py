"""(port, name) -> a class: a table of strings plus entry points, imported when named."""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aegle.core.errors import MissingExtraError, NotFoundError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "packs": {
        "healthcare": "aegle.packs.healthcare:PACK",
        "cybersecurity": "aegle.packs.cybersecurity:PACK",
        "general": "aegle.packs.general:PACK",
    },
    "corpus": {"sqlite": "aegle.backends.corpus_sqlite:SqliteCorpus"},
    "index": {
        "qdrant-edge": "aegle.backends.index_qdrant_edge:QdrantEdgeIndex",
        "lancedb": "aegle.backends.index_lancedb:LanceIndex",
        "pgvector": "aegle.backends.index_pgvector:PgvectorIndex",
        "faiss": "aegle.backends.index_faiss:FaissIndex",
        "qdrant": "aegle.backends.index_qdrant:QdrantIndex",
        "milvus": "aegle.backends.index_milvus:MilvusIndex",
    },
    "graph": {"ladybug": "aegle.backends.graph_ladybug:LadybugGraph"},
    "tracker": {"mlflow": "aegle.backends.tracker_mlflow:MlflowTracker"},
    "encoder": {"onnx": "aegle.backends.encoder_onnx:OnnxEncoder"},
    "reranker": {
        "onnx": "aegle.backends.reranker_onnx:OnnxReranker",
        "late": "aegle.backends.reranker_late:LateReranker",
        "http": "aegle.backends.reranker_http:HttpReranker",
    },
    "generator": {
        "llamacpp": "aegle.backends.generator_llamacpp:LlamaCppGenerator",
        "openai": "aegle.backends.generator_openai:OpenAIGenerator",
    },
}

EXTRAS: Final[dict[str, str]] = {
    "pypdfium2": "documents",
    "docx": "documents",
    "pytesseract": "ocr",
    "opentelemetry": "telemetry",
    "huggingface_hub": "hub",
    "torch": "train",
    "transformers": "train",
    "scipy": "train",
    "gguf": "train",
    "opacus": "private",
    "flwr": "federated",
    "ray": "ray",
    "deepspeed": "deepspeed",
    "mlflow": "track",
    "optuna": "search",
    "cryptography": "sign",
    "grpc": "grpc",
    "onnxscript": "train",
    "lancedb": "lancedb",
    "psycopg": "pgvector",
    "faiss": "faiss",
    "qdrant_client": "qdrant",
    "pymilvus": "milvus",
    "milvus_lite": "milvus",
}
"""Top-level import name -> the extra that installs it."""


@cache
def _installed(port: str) -> tuple[EntryPoint, ...]:
    # Here, and once: importing it takes 30 ms, looking through 260 installed packages 60 ms.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=f"aegle.{port}"))


def names(port: str) -> list[str]:
    """The plugins of a port, built in and installed, sorted."""
    installed = {point.name for point in _installed(port)}
    return sorted(installed | set(BUILT_IN.get(port, {})))


def load(target: str) -> Any:
    """The object that ``module:name`` names.

    Raises:
        MissingExtraError: when importing it needs a package that one of Aegle's extras installs.
    """
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in EXTRAS:
            raise MissingExtraError(missing, EXTRAS[missing]) from error
        raise
    return getattr(module, attribute)


def find(port: str, name: str) -> Any:
    """The class, pack or function registered for a port under a name.

    A built-in name is what it says: no package that happens to be installed takes its place.

    Raises:
        NotFoundError: no such name; the message lists what there is.
    """
    target = BUILT_IN.get(port, {}).get(name)
    if target is not None:
        return load(target)
    for point in _installed(port):
        if point.name == name:
            return point.load()
    known = names(port)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise NotFoundError(f"no {port} named {name!r}; there are: {', '.join(known)}{hint}")
