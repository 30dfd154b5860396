"""Runs as tables and a page: what decides, what is doubted, what the page says and asks for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aegle.core.errors import InputError, UsageError
from aegle.evaluate.ablate import Arm, Run, labels, report
from aegle.evaluate.ablate_page import mean_curve, page
from aegle.evaluate.plot import Axis, human, powers, ticks

ABOUT = {"name": "wards", "kind": "sft", "vary": {"adapter.rank": [4, 8]}, "curve": "loss"}


def run(seed: int, loss: float, *, groups: int = 25, tokens: float = 10, **more: Any) -> Run:
    sums = {f"g{n}": (tokens * (loss + n / 100), tokens) for n in range(groups)}
    told: dict[str, Any] = {
        "values": {"loss": loss + (groups - 1) / 200},
        "costs": {"stored_bytes": 1e6 * loss, "tokens_per_s": 100.0, "peak_memory_bytes": 1e9},
        "curve": [(1.0, loss + 1), (2.0, loss)],
        "about": {"folder": f"runs/{seed}"},
        **more,
    }
    return Run(seed, {"loss": sums}, {"loss": False}, **told)


def arms(**more: Any) -> list[Arm]:
    shifts = {4: 2.0, 8: 1.5, 16: 2.05}
    return [
        Arm(f"rank={rank}", {"adapter.rank": rank}, [run(s, at + s / 100, **more) for s in (1, 2)])
        for rank, at in shifts.items()
    ]


def test_the_first_is_compared_with_unless_another_is_named() -> None:
    found = report(arms(), about=ABOUT)
    first, better, worse = found["arms"]
    assert found["against"] == "rank=4"
    assert (first["difference"], first["p"], first["p_holm"]) == (None, None, None)
    assert better["difference"]["value"] == pytest.approx(-0.5)
    assert worse["difference"]["value"] == pytest.approx(0.05)
    assert better["p_holm"] >= better["p"]
    assert better["quality"]["low"] < better["quality"]["value"] < better["quality"]["high"]
    assert found["intervals"] == {"by": "groups and seeds", "rounds": 2000, "seeds": 2}
    other = report(arms(), against="rank=8", about=ABOUT)
    assert other["arms"][0]["difference"]["value"] == pytest.approx(0.5)
    with pytest.raises(UsageError, match="rank=16"):
        report(arms(), against="rank=5", about=ABOUT)
    json.dumps(found)


def test_the_front_of_each_cost() -> None:
    found = report(arms(), about=ABOUT)
    fronts = {one["label"]: one["front"] for one in found["arms"]}
    assert "stored_bytes" in fronts["rank=8"]
    assert not fronts["rank=16"]
    assert "trained_parameters" not in fronts["rank=8"], "not known of every arm"


def test_what_is_to_be_doubted_is_said() -> None:
    assert any("2 seeds" in one for one in report(arms(), about=ABOUT)["notes"])
    few = report([Arm(a.label, a.values, a.runs[:1]) for a in arms(groups=5)], about=ABOUT)
    assert any("groups of texts (5)" in one for one in few["notes"])
    assert any("One seed" in one for one in few["notes"])
    assert few["intervals"]["by"] == "groups"
    other = Run(1, {"loss": {"else": (3.0, 1.0)}}, {"loss": False}, {"loss": 3.0})
    mixed = report([arms()[0], Arm("other", {}, [other])], about=ABOUT)
    assert any("not paired" in one for one in mixed["notes"])


def test_other_tokens_are_judged_by_bytes_or_not_at_all() -> None:
    def both(tokens: float, loss: float, bits: bool) -> Run:
        plain = run(1, loss, tokens=tokens)
        more = {"bits_per_byte": {f"g{n}": (loss * tokens, 30.0) for n in range(25)}}
        values = {"loss": loss} | ({"bits_per_byte": loss * tokens / 30} if bits else {})
        groups = {**plain.groups, **(more if bits else {})}
        return Run(1, groups, {"loss": False, "bits_per_byte": False}, values)

    found = report(
        [Arm("a", {}, [both(10, 2.0, True)]), Arm("b", {}, [both(20, 1.1, True)])], about=ABOUT
    )
    assert found["measure"]["figures"] == ["bits_per_byte"]
    assert found["arms"][1]["difference"]["value"] > 0, "more bits, though less loss a token"
    with pytest.raises(InputError, match="raise max_tokens"):
        report(
            [Arm("a", {}, [both(10, 2.0, False)]), Arm("b", {}, [both(20, 1.1, False)])],
            about=ABOUT,
        )


def test_without_groups_seeds_alone_tell() -> None:
    def head(label: str, *scores: float) -> Arm:
        runs = [Run(n, {}, {}, {"drugs": score}) for n, score in enumerate(scores)]
        return Arm(label, {}, runs)

    found = report([head("a", 0.7, 0.72, 0.71), head("b", 0.8, 0.81, 0.83)], about=ABOUT)
    assert found["intervals"] == {"by": "seeds", "rounds": 0, "seeds": 3}
    assert found["measure"] == {"name": "dev drugs", "figures": ["drugs"], "higher": True}
    assert found["arms"][1]["p"] < 0.05
    alone = report([head("a", 0.7), head("b", 0.8)], about=ABOUT)
    assert alone["arms"][1]["difference"] is None
    assert "can&#x27;t be told" in page(alone) or "can't be told" in page(alone)


def test_failed_arms_are_told_and_nothing_finished_is_an_error() -> None:
    bad = Arm("rank=99", {}, [], ("seed 1: out of memory",))
    found = report([*arms(), bad], about=ABOUT)
    assert found["failed"] == [{"arm": "rank=99", "why": "seed 1: out of memory"}]
    assert "out of memory" in page(found)
    with pytest.raises(InputError, match="out of memory"):
        report([bad], about=ABOUT)


def test_labels_are_short_unless_two_keys_end_alike() -> None:
    assert labels({"adapter.rank": [4]}, {"adapter.rank": 4}) == "rank=4"
    two = {"a.lr": 1, "b.lr": 2}
    assert labels({"a.lr": [1], "b.lr": [2]}, two) == "a.lr=1, b.lr=2"
    assert labels({"targets": [[]]}, {"targets": ["q", "v"]}) == "targets=q+v"


def test_the_page_says_what_the_report_says_and_asks_nobody() -> None:
    found = report([*arms()[:1], Arm("<b>&", {}, arms()[1].runs)], about=ABOUT)
    told = page(found)
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\(", told)
    assert "<b>&" not in told
    assert "&lt;b&gt;&amp;" in told
    assert "Best: <strong>&lt;b&gt;&amp;</strong>" in told
    for one in found["arms"]:
        assert f"{one['quality']['value']:.4f}" in told
        assert f"{one['quality']['low']:.4f} to {one['quality']['high']:.4f}" in told
    assert "Holm" in told
    assert told.count("<svg") == told.count("</svg>") >= 4
    assert told.count("<circle") >= 2 + 2, "a dot for each arm in each plot that has something"
    assert "Learning curves" in told
    assert "Against stored size" in told
    assert "Against peak memory" not in told, "it is the same for all"


def test_curves_are_averaged_where_all_of_them_are() -> None:
    assert mean_curve([[(1, 1.0), (3, 3.0)], [(2, 4.0), (4, 6.0)]]) == [(2, 3.0), (3, 4.0)]
    assert mean_curve([]) == []


def test_axes_hold_what_they_show() -> None:
    axis = Axis.over([3.0, 900.0], 10, 110, log=True)
    assert 10 < axis.at(3.0) < axis.at(900.0) < 110
    assert len(ticks(0.0, 1.0)) in range(3, 12)
    assert powers(1.0, 60.0) == [1, 2, 5, 10, 20, 50]
    assert [human(v, "bytes") for v in (512, 2.5e6)] == ["512 B", "2.5 MB"]
    assert human(16384, "count") == "16.4k"
    assert [human(v, "") for v in (10000.0, 0.25)] == ["10,000", "0.25"]
