"""Evidence that a version did better than its champion while both served; figures are judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

ALPHA: Final = 0.05
"""Most probability of a gain that is none; and, over all figures, of harm that is none."""
MARGIN: Final = 0.05
"""Most quality that a rollout may have tolerated to be lost, as parity's 95%."""
LEAST: Final = 100
"""Values that each figure rests on, at least."""
HARMS: Final = ("quality", "errors", "latency", "agreement")


def missing(found: Any, digest: str, champion: str) -> list[str]:
    """What a rollout's evidence lacks for this version to follow this champion."""
    if found is None:
        return ["rollout (none attached; see aegle rollout)"]
    try:
        if found["model"] != digest:
            return [f"rollout: it is about model {str(found['model'])[:12]}"]
        if found["against"] != champion:
            against = str(found["against"])[:12]
            return [f"rollout: it was against {against}, the champion is {champion[:12]}"]
        return [f"rollout: {one}" for one in wrong(found)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [f"rollout: it is not in the form of rollout ({type(error).__name__}: {error})"]


def wrong(found: Mapping[str, Any]) -> list[str]:
    """Why the figures of a rollout don't hold; empty where they do.

    Raises:
        KeyError, TypeError, ValueError: it isn't in the form of a rollout.
    """
    figures = {name: _figure(found["figures"][name]) for name in HARMS}
    margin = float(found["plan"]["margin"])
    if not 0 <= margin <= MARGIN:
        return [f"it tolerated a loss of {margin:.3g}, at most {MARGIN:g} may be"]
    if not found["against"] or found["against"] == found["model"]:
        return ["it names no other model that it was against"]
    out = []
    gain = float(found["figures"]["quality"]["p_gain"])
    quality = figures["quality"]
    if not (0 <= gain <= ALPHA and quality["low"] >= -margin):
        out.append(f"no gain is shown: p is {gain:.3g}, {ALPHA:g} is needed")
    if found["unbalanced"] is not False:
        out.append("feedback came oftener from one version than its share")
    for name, one in figures.items():
        if one["n"] < LEAST:
            out.append(f"{name} rests on {one['n']:g} values, {LEAST} are needed")
        if not ALPHA / len(HARMS) < one["p_harm"] <= 1:
            out.append(f"{name} shows harm")
    return out


def _figure(told: Mapping[str, Any]) -> dict[str, float]:
    one = {name: float(told[name]) for name in ("n", "mean", "low", "high", "p_harm")}
    if not all(map(math.isfinite, one.values())):
        raise ValueError("a figure is not finite")
    return one
