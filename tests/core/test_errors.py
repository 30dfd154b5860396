"""One tree: every class has its own documented exit code, and a status."""

from __future__ import annotations

import inspect

from aegle.core import errors, plugins


def classes() -> list[type[errors.AegleError]]:
    return [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.AegleError)
    ]


def test_the_map_at_the_top_of_the_file_is_true() -> None:
    rows = [line.split() for line in (errors.__doc__ or "").splitlines() if "Error " in line]
    told = {}
    for row in rows:
        words = [word.strip("├─└│") for word in row if word.strip("├─└│")]
        if words and words[0].endswith("Error") and words[1].isdigit():
            told[words[0]] = (int(words[1]), int(words[2]))
    assert told == {one.__name__: (one.exit_code, one.http_status) for one in classes()}


def test_statuses_and_exit_codes_are_plausible() -> None:
    for one in classes():
        assert 400 <= one.http_status < 600
        assert 1 <= one.exit_code < 64


def test_a_missing_extra_names_the_command() -> None:
    error = errors.MissingExtraError("docx", "documents")
    assert "pip install 'aegle[documents]'" in str(error)
    assert set(plugins.EXTRAS.values()) == {
        "private",
        "federated",
        "ray", "deepspeed", "sign", "grpc",
        "documents", "ocr", "telemetry", "hub", "train", "track", "search",
        "lancedb", "pgvector", "faiss", "qdrant", "milvus",
    }  # fmt: skip
