"""A byte-level BPE of ``tokenizer.json`` as llama.cpp reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import gguf

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError, UsageError

_QWEN2: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3: Final = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def _bytes(*, cuts: bool) -> dict[str, Any]:
    told = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {**told, "use_regex": cuts}


CUTS: Final[dict[str, dict[str, Any]]] = {
    "gpt-2": _bytes(cuts=True),
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            _bytes(cuts=True),
        ],
    },
    **{
        name: {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": pattern},
                    "behavior": "Isolated",
                    "invert": False,
                },
                _bytes(cuts=False),
            ],
        }
        for name, pattern in (("qwen2", _QWEN2), ("llama-bpe", _LLAMA3))
    },
}
"""llama.cpp's names for how text is cut before it is merged, and ``tokenizer.json``'s."""
_ROLES: Final = {"bos_token": "bos", "eos_token": "eos", "pad_token": "pad", "unk_token": "unk"}


def write(writer: Any, folder: Path, vocabulary: int) -> None:
    """Tokens, merges, special tokens and the chat template.

    Args:
        writer: a ``gguf.GGUFWriter``.
        folder: with ``tokenizer.json``; ``tokenizer_config.json`` and ``chat_template.jinja``
            where there are such.
        vocabulary: rows of the embedding table; more than there are tokens is padding.

    Raises:
        UsageError: no byte-level BPE, or one that cuts text in a way llama.cpp has no name for.
        InputError: no such file, or more tokens than rows.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"{folder} has no tokenizer.json; llama.cpp needs the tokenizer")
    told = read_json(path)
    model = told.get("model", {})
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise UsageError(
            f"{path} is no byte-level BPE ({model.get('type')}"
            f"{', byte_fallback' if model.get('byte_fallback') else ''}); only such are written"
        )
    cut = _cut(told)
    added = {one["id"]: one for one in told.get("added_tokens", [])}
    names = {number: name for name, number in model["vocab"].items()}
    names |= {number: one["content"] for number, one in added.items()}
    if names and max(names) >= vocabulary:
        raise InputError(f"{path} has token {max(names)}, the embedding table {vocabulary} rows")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list([names.get(n, f"[PAD{n}]") for n in range(vocabulary)])
    writer.add_token_types([_kind(n, names, added) for n in range(vocabulary)])
    writer.add_token_merges(
        [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    )
    _special(writer, folder, {name: number for number, name in names.items()}, told)


def _kind(number: int, names: dict[int, str], added: dict[int, Any]) -> int:
    if number not in names:
        return int(gguf.TokenType.UNUSED)
    if number not in added:
        return int(gguf.TokenType.NORMAL)
    special = added[number]["special"]
    return int(gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED)


def _cut(told: dict[str, Any]) -> str:
    """llama.cpp's name for how text is cut before it is merged."""
    if told.get("normalizer") not in (None, {"type": "NFC"}):
        raise UsageError("a tokenizer that normalises text is not written: llama.cpp would not")
    whole = told.get("pre_tokenizer") or {}
    for name, cut in CUTS.items():
        if _plain(whole) == _plain(cut):
            return name
    kinds = [str(one.get("type")) for one in whole.get("pretokenizers", [whole])]
    raise UsageError(
        f"llama.cpp has no name for how this tokenizer cuts text ({', '.join(kinds)}); known are "
        f"the ways of {', '.join(CUTS)}"
    )


def _plain(cut: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps that cut, without what only moves offsets and with what is left unsaid."""
    steps = cut.get("pretokenizers", [cut])
    usual = {"ByteLevel": {"use_regex": True}, "Split": {"invert": False}}
    told = [{**usual.get(one.get("type", ""), {}), **one} for one in steps]
    return [{key: one[key] for key in one if key != "trim_offsets"} for one in told]


def _special(writer: Any, folder: Path, ids: dict[str, int], told: dict[str, Any]) -> None:
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.is_file() else {}
    for key, role in _ROLES.items():
        name = config.get(key)
        name = name.get("content") if isinstance(name, dict) else name
        if name in ids:
            getattr(writer, f"add_{role}_token_id")(ids[name])
    begins = config.get("bos_token") is not None and _puts_first(told, config["bos_token"])
    writer.add_add_bos_token(begins)
    writer.add_add_space_prefix(False)
    template = folder / "chat_template.jinja"
    text = template.read_text("utf-8") if template.is_file() else config.get("chat_template")
    if isinstance(text, str):
        writer.add_chat_template(text)


def _puts_first(told: dict[str, Any], token: Any) -> bool:
    """Whether the tokenizer puts its first token before every text."""
    name = token.get("content") if isinstance(token, dict) else token
    after = told.get("post_processor") or {}
    steps = after.get("processors", [after])
    first = [one["single"][:1] for one in steps if one.get("type") == "TemplateProcessing"]
    return json.dumps(name) in json.dumps(first)
