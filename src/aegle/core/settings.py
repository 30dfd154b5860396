"""One typed tree of settings: defaults < aegle.toml < environment < command line.

An unknown key is an error with a suggestion. The environment says ``AEGLE_RETRIEVE__K=20`` for
``retrieve.k``. Settings are read at the door; below `flows` functions take the values they use.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aegle.core.errors import SettingsError

RESERVED = ("AEGLE_DATA", "AEGLE_CACHE", "AEGLE_WORKSPACE")
"""Environment names that are no settings: where test data, weights and the workspace lie."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sources(_Table):
    """What is read, and what is refused."""

    max_file_mb: float = Field(2048, gt=0, description="a larger file goes to quarantine")
    max_text_mb: float = Field(
        16, gt=0, description="a single line, record or page of more text goes to quarantine"
    )
    max_ratio: float = Field(
        200, gt=1, description="an archive that grows more than this many times is a bomb"
    )
    max_members: int = Field(100_000, ge=1, description="an archive with more members is refused")
    log_window_s: int = Field(1800, ge=1, description="seconds of one host's log in one document")
    ocr: bool = Field(False, description="read scanned pages by OCR (extra: ocr, and tesseract)")


class Redact(_Table):
    """How identifiers are replaced."""

    shift_days: int = Field(365, ge=0, description="dates move by up to this many days a group")
    override_reason: str = Field(
        "", description="index text WITHOUT de-identification, for this audited reason"
    )
    keep: tuple[str, ...] = Field((), description="identifier classes kept in every domain")
    remove_accounts: bool = Field(False, description="replace account names in security texts, too")
    tagger: Literal["auto", "none"] = Field(
        "auto", description="auto: what `knowledge.tagger` names looks for identifiers, too"
    )


class Chunks(_Table):
    """How documents are cut."""

    budget: int = Field(180, ge=16, le=480, description="most tokens in a chunk")
    overlap: int = Field(0, ge=0, description="tokens of the chunk before that are repeated")


class Knowledge(_Table):
    """How facts are found in texts."""

    tagger: str = Field(
        "auto",
        description="the tagger: auto (the packaged one), none, a name of `aegle models` or path:",
    )
    thresholds: dict[str, float] = Field(
        {}, description="entity type -> the least probability at which the tagger is believed"
    )
    terminologies: tuple[str, ...] = Field(
        (),
        description="release files of further terminologies: MRCONSO.RRF or RXNCONSO.RRF, "
        "Loinc.csv, sct2_Description_Snapshot*.txt, CAPEC (STIX), d3fend.ttl",
    )

    abbreviations: tuple[str, ...] = Field(
        (),
        description="tables of short form, long form and, if known, frequency (tabs, pipes or "
        "commas) for what a tagger names; the sense is chosen by context",
    )
    link_by: Literal["spelling", "meaning"] = Field(
        "spelling",
        description="how names that no terminology has are compared; meaning: by "
        "`backends.encoder_model`, too, which is 30 times as slow",
    )

    @field_validator("thresholds")
    @classmethod
    def _probable(cls, thresholds: dict[str, float]) -> dict[str, float]:
        for type, least in thresholds.items():
            if not 0 <= least <= 1:
                raise ValueError(f"a probability is from 0 to 1, that of {type!r} is {least}")
        return thresholds


class Retrieve(_Table):
    """How chunks are found."""

    k: int = Field(8, ge=1, le=200, description="how many chunks a search returns")
    pool: int = Field(60, ge=1, le=1000, description="how many each searcher gives to the fusion")
    rrf_k: int = Field(60, ge=1, description="the constant of reciprocal rank fusion")
    expand: bool = Field(
        True,
        description="search for other names of what a question names, too: synonyms, codes and "
        "abbreviations of the terminologies and of `knowledge.abbreviations`",
    )
    hyde: bool = Field(
        False,
        description="let the generator imagine a passage that answers, and search for its meaning, "
        "too; seconds a question",
    )
    hyde_tokens: int = Field(64, ge=8, le=512, description="most tokens of that passage")
    hyde_seconds: float = Field(
        20, gt=0, description="the longest it is waited for; then what is written by then counts"
    )
    graph: bool = Field(True, description="expand through the graph")
    hops: int = Field(2, ge=1, le=4, description="how far the graph expansion walks")
    rerank: str = Field(
        "none",
        description="reads the question with each of the first hits: none, late (token vectors of "
        "`backends.encoder_model`; late:NAME of another), a cross-encoder by a name of "
        "`aegle models`, path: or hf:, or the URL of a rerank service, which then gets the "
        "de-identified texts",
    )
    rerank_top: int = Field(30, ge=1, le=200, description="how many first hits are reranked")
    rerank_weight: float = Field(
        0.5, ge=0, le=1, description="its vote beside the search's own; 1: it alone decides"
    )
    rerank_tokens: int = Field(
        512,
        ge=32,
        le=512,
        description="most word pieces of a question with a passage that a cross-encoder reads; "
        "the passage is cut",
    )
    token_vectors: Literal["none", "int8", "4bit", "2bit", "1bit"] = Field(
        "none",
        description="keeps the vectors of each chunk's tokens, in so many bits a number, so that "
        "`retrieve.rerank` late need not read the texts; after a change: aegle reindex",
    )
    rerank_format: Literal["auto", "cohere", "jina", "tei"] = Field(
        "auto", description="what the rerank service speaks; auto: by its URL"
    )
    rerank_model: str = Field("", description="the name under which that service knows its model")
    rerank_key: str = Field(
        "", description="that service's API key; best given as AEGLE_RETRIEVE__RERANK_KEY"
    )
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how much a hit is worth for saying something that those before it do not; "
        "above 0 near-copies of one patient or host are left out",
    )
    context_tokens: int = Field(
        0,
        ge=0,
        le=8192,
        description="most tokens of further cited sentences that the generator reads beside those "
        "of the answer; 0: none",
    )


class Answers(_Table):
    """How answers are made."""

    generate: bool = Field(False, description="let the generator phrase answers")
    max_claims: int = Field(4, ge=1, le=20, description="most sentences in an answer")
    min_support: float = Field(
        0.42, ge=0, le=1, description="an answer supported less than this is a refusal"
    )
    max_tokens: int = Field(160, ge=8, description="most tokens that the generator writes")
    verifier: str = Field(
        "auto",
        description="what judges whether evidence bears a sentence out: auto (the packaged model), "
        "none (rules on words alone), a name of `aegle models` or path:",
    )


class Backends(_Table):
    """Which technology stands behind each port."""

    corpus: str = "sqlite"
    index: str = Field(
        "qdrant-edge",
        description="qdrant-edge, lancedb, faiss, pgvector, qdrant or milvus (extras of those "
        "names); after a change: aegle reindex",
    )
    index_url: str = Field(
        "",
        description="where the index lies, if not in the workspace: a server of pgvector "
        "(postgresql://...), qdrant or milvus (http://...), a bucket of lancedb (s3://...)",
    )
    index_key: str = Field(
        "",
        description="what that server wants to know: API key or token of qdrant or milvus; best "
        "given as AEGLE_BACKENDS__INDEX_KEY. pgvector reads libpq's password file",
    )
    index_kind: Literal["auto", "flat", "ivf-pq", "hnsw", "hnsw-sq", "hnsw-pq", "binary"] = Field(
        "auto",
        description="how the index keeps vectors; auto: as the backend does by itself. The others "
        "need `backends.index` faiss; aegle tune measures and sets them",
    )
    index_options: dict[str, int] = Field(
        {},
        description="of that kind: m and ef (hnsw), lists and probes (ivf-pq), code and bits (pq), "
        "rescore (how many times as many are compared again, exactly)",
    )
    graph: str = "ladybug"
    encoder: str = "onnx"
    encoder_model: str = Field(
        "minilm",
        description="a name of `aegle models`, path: or hf:; after a change: aegle reindex",
    )
    encoder_dimensions: int = Field(
        0,
        ge=0,
        description="only the first so many numbers of a vector are kept; 0: all. For encoders "
        "trained for it, as aegle-embed (256, 128, 64); after a change: aegle reindex",
    )
    generator: str = "llamacpp"
    generator_model: str = Field(
        "smollm2",
        description="a model, or a LoRA adapter over one: a name of `aegle models`, path: or hf:",
    )
    generator_url: str = Field("", description="base URL of an OpenAI-compatible server")
    threads: int = Field(0, ge=0, description="threads of the encoder and generator; 0: all cores")


class Serve(_Table):
    """Where the server listens, who may ask, and how much may wait."""

    host: str = Field("127.0.0.1", description="beyond this machine every request needs a key")
    port: int = Field(8471, ge=0, le=65535)
    grpc_port: int = Field(0, ge=0, le=65535, description="Open Inference Protocol; 0: none")
    open_browser: bool = False
    require_keys: bool = Field(False, description="ask for keys on this machine, too: aegle keys")
    open_reason: str = Field(
        "", description="serve beyond this machine WITHOUT keys, for this audited reason"
    )
    deadline_s: float = Field(
        30, gt=0, description="a request that would wait longer than this is refused (429)"
    )
    batch_tokens: int = Field(2048, ge=64, description="about so many tokens are read together")
    queue_tokens: int = Field(
        65_536, ge=64, description="about so many tokens may wait; further requests get 429"
    )
    queue_generations: int = Field(
        8, ge=0, description="how many conversations may wait for the generator"
    )
    cache_mb: float = Field(32, ge=0, description="memory for results and vectors; 0: none")
    drain_s: float = Field(
        60, gt=0, description="when told to end, how long accepted requests may take"
    )


class Rollout(_Table):
    """When a challenger is promoted or rolled back; what decides is fixed when a rollout begins."""

    alpha_gain: float = Field(
        0.05, gt=0, lt=1, description="most probability of showing a gain where there is none"
    )
    alpha_harm: float = Field(
        0.05, gt=0, lt=1, description="most probability of a rollback where nothing is worse"
    )
    margin: float = Field(
        0, ge=0, le=0.5, description="so much quality (feedback, 0 to 1) may be lost for promotion"
    )
    errors: float = Field(
        0.01, gt=0, lt=1, description="share of texts that the challenger may fail at"
    )
    slower: float = Field(
        0.25, ge=0, description="it may take 1 + this times as long, at half of the texts"
    )
    agreement: float = Field(
        0.5, ge=0, lt=1, description="least share of facts in common with the champion; 0: any"
    )
    p95_ms: float = Field(
        100, gt=0, description="limit of its time to read a text, for the evidence on latency"
    )
    patience_s: float = Field(
        2, gt=0, description="after so long the champion answers in the challenger's place"
    )
    queue: int = Field(64, ge=1, description="how many texts may wait to be read in the shadow")
    characters: int = Field(20_000, ge=1, description="longer texts aren't read in the shadow")


class Observe(_Table):
    """Where events go."""

    format: Literal["people", "json"] = "people"
    level: Literal["debug", "info", "warning", "error"] = "warning"
    otlp_endpoint: str = Field("", description="OTLP/HTTP traces endpoint (extra: telemetry)")


class Settings(_Table):
    """All settings of a workspace, as they stand in its ``aegle.toml``."""

    seed: int = Field(17, description="every random choice derives from it")
    packs: tuple[str, ...] = ("healthcare", "cybersecurity", "general")
    wait_s: float = Field(30, ge=0, description="how long a command waits for a busy workspace")
    sources: Sources = Sources()
    redact: Redact = Redact()
    chunks: Chunks = Chunks()
    knowledge: Knowledge = Knowledge()
    retrieve: Retrieve = Retrieve()
    answers: Answers = Answers()
    backends: Backends = Backends()
    serve: Serve = Serve()
    rollout: Rollout = Rollout()
    observe: Observe = Observe()


def load(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of a workspace.

    Args:
        file: its ``aegle.toml``; a missing file is no error.
        environ: ``AEGLE_TABLE__KEY=value``; ``os.environ`` when None.
        options: dotted names from the command line, ``{"retrieve.k": 20}``.

    Raises:
        SettingsError: an unknown key, a value of the wrong kind, or a file that is not TOML.
    """
    tree: dict[str, Any] = {}
    if file is not None and file.exists():
        try:
            tree = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file} is not TOML: {error}") from error
    for name, value in (os.environ if environ is None else environ).items():
        if name.startswith("AEGLE_") and name not in RESERVED:
            _put(tree, name.removeprefix("AEGLE_").lower().split("__"), _parse(value))
    for dotted, value in (options or {}).items():
        _put(tree, dotted.split("."), _parse(value) if isinstance(value, str) else value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Every setting as (dotted name, type, default, description), for the reference."""
    for name, info in Settings.model_fields.items():
        default = info.default
        if isinstance(default, _Table):
            for key, inner in type(default).model_fields.items():
                about = inner.description or ""
                yield f"{name}.{key}", _type_name(inner.annotation), repr(inner.default), about
        else:
            yield name, _type_name(info.annotation), repr(default), info.description or ""


def _type_name(annotation: Any) -> str:
    return (
        getattr(annotation, "__name__", "")
        if isinstance(annotation, type)
        else str(annotation).replace("typing.", "")
    )


def _parse(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{'.'.join(path)}: {key!r} is a value, not a table")
    tree[path[-1]] = value


def _explain(error: ValidationError) -> str:
    known = [name for name, *_ in rows()]
    lines = []
    for problem in error.errors():
        dotted = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(dotted, known, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            lines.append(f"no setting {dotted!r}{hint}")
        else:
            lines.append(f"setting {dotted!r}: {problem['msg']}, got {problem['input']!r}")
    return "; ".join(lines)
