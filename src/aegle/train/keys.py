"""Recipes as files: YAML laid over a parent, changes by dotted names, errors with a suggestion."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from aegle.core.errors import InputError

R = TypeVar("R", bound=BaseModel)


class Part(BaseModel):
    """A table of a recipe: frozen, and a key that it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_tree(path: Path, *, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """A recipe file's keys, nothing checked.

    Args:
        path: YAML; ``extends: FILE`` takes what it doesn't say from another beside it.
        changes: dotted names and values to set, ``{"optimiser.epochs": 2}``.

    Raises:
        InputError: not YAML, no table, or a file that extends itself.
    """
    tree = _tree(path)
    for name, value in (changes or {}).items():
        _set(tree, name, value)
    return tree


def checked(kind: type[R], tree: dict[str, Any], path: Path) -> R:
    """The tree as a recipe of this class.

    Raises:
        InputError: an unknown or missing key (with a suggestion), a value out of range.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error, kind)}") from error


def closest(word: str, known: list[str]) -> str:
    """``; did you mean 'x'?`` where something known is close, or nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _tree(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's keys; with ``extends: FILE`` laid over those of another recipe beside it."""
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} can't be read as YAML ({type(error).__name__})") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a recipe is a table of keys; see recipes/tagger.yaml")
    parent = tree.pop("extends", None)
    if parent is None:
        return tree
    above = path.parent / str(parent)
    if above in below:
        raise InputError(f"{path} extends {parent}, which extends it in turn")
    return _laid_over(_tree(above, (*below, path)), tree)


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables are joined key by key; any other value is replaced."""
    joined = dict(under)
    for key, value in over.items():
        before = joined.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        joined[key] = _laid_over(before, value) if both else value  # type: ignore[arg-type]
    return joined


def _set(tree: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    for key in above:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise InputError(f"{name}: {key} is no table")
    tree[last] = value


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "recipe"
    if first["type"] == "missing":
        return f"{where}: this key is missing"
    if first["type"] == "literal_error":
        return f"{where}: {first['msg']}{_near(first)}"
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg']}"
    return f"{where}: no such key{closest(str(first['loc'][-1]), sorted(_names(kind, set())))}"


def _near(first: Any) -> str:
    known = str(first.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
    return closest(str(first["input"]), [one.strip("' ") for one in known.split(",")])


def _names(kind: type[BaseModel], seen: set[type]) -> set[str]:
    """The keys of a class and of all parts below it."""
    seen.add(kind)
    found = set(kind.model_fields)
    for field in kind.model_fields.values():
        for part in _parts(field.annotation):
            if part not in seen:
                found |= _names(part, seen)
    return found


def _parts(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    if get_origin(annotation) is Literal:
        return set()
    return {part for one in get_args(annotation) for part in _parts(one)}
