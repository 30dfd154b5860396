"""A rollout's evidence: asked for where there is a champion, judged by figures, left out aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core.errors import InputError, UsageError
from aegle.registry import gate, rollout
from aegle.registry.sign import Keys
from aegle.registry.store import Registry

pytest.importorskip("cryptography")


def shown(model: str, against: str, **changed: Any) -> dict[str, Any]:
    figure = {"n": 400, "mean": 0.0, "low": 0.0, "high": 0.2, "p_harm": 1.0}
    figures: dict[str, dict[str, float]] = {name: dict(figure) for name in rollout.HARMS}
    figures["quality"] |= {"p_gain": 0.03, "low": 0.001}
    told = {"model": model, "against": against, "figures": figures, "plan": {"margin": 0.0}}
    return told | {"unbalanced": False} | changed


def other(kind: str, digest: str) -> dict[str, Any]:
    one = {"value": 0.9, "low": 0.9, "high": 0.9, "n": 40}
    if kind != "parity":
        return {"model": digest, "figures": {"f1": one}, "limits": {"f1": {"at_least": 0.8}}}
    counts = {"drug": [[group, 4, 4, 4] for group in range(10)]}
    stages = [{"name": name, "digest": digest, "counts": counts} for name in ("original", "served")]
    told = {"model": digest, "keep": 0.95, "critical": ["drug"], "stages": stages, "groups": 10}
    told |= {"documents": 20, "labels": ["drug"], "scorer": {"sha256": "3" * 64}}
    return told | {"data": {"files": {"test.jsonl": "1" * 64}, "documents": "2" * 64}}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Versions 1 to 3; 1 is champion, the others lack a rollout alone."""
    keys = Keys(tmp_path / "key")
    found = Registry(tmp_path / "registry", keys)
    for number in (1, 2, 3):
        source = tmp_path / "model"
        source.mkdir(exist_ok=True)
        (source / "card.json").write_text(f'{{"version": {number}}}')
        version = found.add(
            "m", source, data={"d": "0" * 64}, recipe=None, code="x", critical=["drug"]
        )
        for kind in gate.KINDS:
            body = other(kind, version.digest)
            found.attach("m", number, kind, keys.signed(kind, body) if kind == "parity" else body)
    found.alias("m", "champion", 1)
    return found


def digest(registry: Registry, which: int) -> str:
    return registry.open("m", which).digest


def test_a_second_champion_needs_a_rollout_against_the_first(registry: Registry) -> None:
    first, second, third = (digest(registry, n) for n in (1, 2, 3))
    assert registry.champion("m") == first
    registry.alias("m", "champion", 1)  # itself needs none
    with pytest.raises(UsageError, match=r"missing: rollout \(none attached"):
        registry.alias("m", "champion", 2)
    registry.attach("m", 2, "rollout", shown(second, third))
    with pytest.raises(UsageError, match="rollout: it was against"):
        registry.alias("m", "champion", 2)
    registry.attach("m", 2, "rollout", shown(second, first))
    registry.alias("m", "champion", 2)
    registry.attach("m", 3, "rollout", shown(third, first))
    with pytest.raises(UsageError, match="it was against"):
        registry.alias("m", "champion", 3)
    registry.withdraw("m", 3, "rollout")
    with pytest.raises(UsageError, match="none attached"):
        registry.alias("m", "champion", 3)


def test_it_is_left_out_with_a_reason_that_the_history_tells(
    registry: Registry, tmp_path: Path
) -> None:
    for without, because in ((["rollout"], " "), (["parity"], "hurry"), (["rollout", "x"], "y")):
        with pytest.raises(UsageError, match="only rollout may be left out"):
            registry.alias("m", "champion", 2, without=without, because=because)
    where = ["--registry", str(tmp_path / "registry"), "--key", str(tmp_path / "key")]
    line = ["promote", "m", "--version", "2", "--without", "rollout", "--because", "urgent"]
    done = CliRunner().invoke(app, [*line, *where])
    assert done.exit_code == 0, done.output
    told = registry.history("m")[-1]
    assert (told["without"], told["because"], told["version"]) == (["rollout"], "urgent", 2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"plan": {"margin": 0.2}}, "tolerated a loss"),
        ({"unbalanced": True}, "oftener"),
        ({"against": "m"}, "no other model"),
        ({"figures": {"quality": {"p_gain": 0.2}}}, "no gain"),
        ({"figures": {"quality": {"low": -0.01}}}, "no gain"),
        ({"figures": {"errors": {"n": 9}}}, "rests on 9 values"),
        ({"figures": {"latency": {"p_harm": 0.001}}}, "latency shows harm"),
        ({"figures": {"agreement": {"p_harm": float("nan")}}}, "not finite"),
    ],
)
def test_figures_that_do_not_hold_are_refused(
    registry: Registry, change: dict[str, Any], why: str
) -> None:
    model = digest(registry, 2)
    told = shown(model, digest(registry, 1))
    assert gate.wrong("rollout", told, model) == []
    for name, value in change.items():
        if name == "figures":
            for figure, more in value.items():
                told["figures"][figure] |= more
        else:
            told[name] = model if value == "m" else value
    assert why in gate.wrong("rollout", told, model)[0]
    with pytest.raises(InputError, match="refused as rollout"):
        registry.attach("m", 2, "rollout", told)
