"""Changes a workspace's ``aegle.toml`` and leaves everything else in it, comments too, as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from aegle.core.errors import SettingsError

_HEADER: Final = re.compile(r"\s*\[")
_COMMENT: Final = re.compile(r"\s*(#.*)?$")


def _literal(value: Any) -> str:
    """A value as TOML: text, number, truth value, or an inline table of those."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_literal(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    # JSON's strings are TOML's basic strings but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def changed(text: str, table: str, values: Mapping[str, Any]) -> str:
    """The settings file with other values in one table; the rest stays to the byte.

    A key that is there gets its new value in its place, with the comment behind it; another is
    added at the table's end; the table at the file's end. The result is read again and compared,
    so that no way of writing TOML that this function does not know can lose or change a setting.

    Raises:
        SettingsError: the file is not TOML, or is written in a way that needs a person's hand.
    """
    by_hand = "; ".join(f"{table}.{key} = {_literal(value)}" for key, value in values.items())
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"aegle.toml is not TOML: {error}") from error
    written = _written(text, table, values)
    wanted = {**before, table: {**before.get(table, {}), **values}}
    try:
        same = tomllib.loads(written) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise SettingsError(
            f"aegle.toml writes its table {table} in a way that is not changed by machine; "
            f"set by hand: {by_hand}"
        )
    return written


def _written(text: str, table: str, values: Mapping[str, Any]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?$")
    start = next((n for n, line in enumerate(lines, 1) if header.match(line.rstrip())), None)
    if start is None:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += end
        lines += [end] * bool(lines) + [f"[{table}]{end}"]
        start = len(lines)
    stop = next((n for n in range(start, len(lines)) if _HEADER.match(lines[n])), len(lines))
    left = dict(values)
    for n in range(start, stop):
        key, equals, rest = lines[n].partition("=")
        name = key.strip().strip("\"'")
        if equals and name in left:
            tail = _behind(rest.rstrip("\r\n"))
            lines[n] = f"{key.rstrip()} = {_literal(left.pop(name))}{tail}{end}"
    while stop > start and _COMMENT.match(lines[stop - 1].rstrip()):
        stop -= 1  # before the blank lines and comments that lead to the next table
    if stop and not lines[stop - 1].endswith("\n"):
        lines[stop - 1] += end
    lines[stop:stop] = [f"{key} = {_literal(value)}{end}" for key, value in left.items()]
    return "".join(lines)


def _behind(rest: str) -> str:
    """The comment behind a value, with the space before it; empty where there is none."""
    for place, sign in enumerate(rest):
        if sign == "#":
            try:
                tomllib.loads(f"x ={rest[:place]}")
            except tomllib.TOMLDecodeError:
                continue  # a # inside a string
            start = len(rest[:place].rstrip())
            return rest[start:]
    return ""
