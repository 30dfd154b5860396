"""What a version must show before it may be champion; figures are judged here, not their verdict.

Evidence of every kind but parity is ``{"model": digest, "figures": {name: {value, low, high, n}},
"limits": {name: {"at_least": x} or {"at_most": x}}}``. Of robustness, fairness and latency limits
are asked for: figures alone don't say whether they are good enough.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aegle.core.errors import UsageError
from aegle.core.records import Measure
from aegle.registry import parity, rollout

KINDS: Final = ("scores", "parity", "robustness", "fairness", "latency")
LIMITED: Final = ("robustness", "fairness", "latency")
ROLLOUT: Final = "rollout"
"""Asked for where there is a champion to be compared with."""


def missing(
    evidence: Mapping[str, Any],
    digest: str,
    champion: str = "",
    *,
    critical: Sequence[str] = (),
    trained: Collection[str] = (),
    derived: bool = False,
) -> list[str]:
    """What is missing or fails, a sentence each, in the order of `KINDS`.

    ``champion``: the digest of the champion that this version would follow; then `ROLLOUT`, too.
    ``critical``: labels that the version may not lose. ``trained``: hashes of its training data.
    ``derived``: it was made of another model, which its certificate must compare it with.
    """
    found = []
    for kind in KINDS:
        if kind not in evidence:
            found.append(f"{kind} (none attached)")
        else:
            told: dict[str, Any] = {"critical": critical, "trained": trained, "derived": derived}
            reasons = wrong(kind, evidence[kind], digest, **told)
            found += [f"{kind}: {one}" for one in reasons]
    if champion and champion != digest:
        found += rollout.missing(evidence.get(ROLLOUT), digest, champion)
    return found


def wrong(
    kind: str,
    found: Any,
    digest: str,
    *,
    critical: Sequence[str] = (),
    trained: Collection[str] = (),
    derived: bool = False,
) -> list[str]:
    """Why evidence doesn't hold for the version with this digest; empty where it does.

    Raises:
        UsageError: no such kind.
    """
    if kind not in (*KINDS, ROLLOUT):
        raise UsageError(f"evidence is {', '.join((*KINDS, ROLLOUT))}, not {kind!r}")
    try:
        if found["model"] != digest:
            return [f"it is about model {str(found['model'])[:12]}, this one is {digest[:12]}"]
        if kind == ROLLOUT:
            return rollout.wrong(found)
        if kind == "parity":
            return parity.wrong(found, critical, trained, derived=derived)
        return _figures(kind, found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return [f"it is not in the form of {kind} ({type(error).__name__}: {error})"]


def _figures(kind: str, found: Any) -> list[str]:
    figures = {name: measure(one) for name, one in found["figures"].items()}
    limits = dict(found.get("limits", {}))
    if not figures:
        return ["it holds no figures"]
    if kind in LIMITED and not limits:
        return ["it names no limits"]
    out = []
    for name, limit in limits.items():
        ((way, bound),) = limit.items()
        if way not in ("at_least", "at_most") or not math.isfinite(bound):
            raise ValueError(f"limit of {name}")
        value = figures[name].value
        if value < bound if way == "at_least" else value > bound:
            out.append(f"{name} is {value:.4g}, the limit is {way.replace('_', ' ')} {bound:.4g}")
    return out


def measure(told: Any) -> Measure:
    """A figure read back; raises ValueError for one that isn't finite or in order."""
    found = Measure(float(told["value"]), float(told["low"]), float(told["high"]), int(told["n"]))
    if not all(map(math.isfinite, (found.value, found.low, found.high))):
        raise ValueError("a figure is not finite")
    return found
