"""A parity certificate as evidence: its verdict isn't read, it is worked out from its counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aegle.metrics import parity

_SERVED: Final = "served"
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def wrong(
    found: Mapping[str, Any],
    critical: Sequence[str],
    trained: Collection[str],
    *,
    derived: bool = False,
) -> list[str]:
    """Why a certificate doesn't hold; empty where it does.

    Args:
        found: what `aegle.compress.parity.certificate` made, its signature seen already.
        critical: the labels that the version's owner, or a pack, says are critical. Those that the
            certificate names are taken, too, never instead.
        trained: hashes of the data that the version was trained on.
        derived: the version was made of another model: compared with itself nothing is shown.

    Raises:
        KeyError, TypeError, ValueError: it isn't in the form of a certificate.
    """
    names = [one["name"] for one in found["stages"]]
    known = [name for name in parity.STAGES if name in names]
    if names != known or names[:1] != ["original"] or names[-1:] != [_SERVED]:
        return [f"its stages are {', '.join(names)}; they begin with original, end with {_SERVED}"]
    if not critical:
        return ["no label is critical; name them: --critical"]
    if reasons := _digests(found, names, trained):
        return reasons
    if derived and found["stages"][0]["digest"] == found["model"]:
        return ["its original is this version itself, which was made of another model"]
    labels, groups = list(found["labels"]), int(found["groups"])
    if not 0 < groups <= int(found["documents"]):
        raise ValueError("groups")
    stages = {}
    for one in found["stages"]:
        if list(one["counts"]) != labels and sorted(one["counts"]) != sorted(labels):
            raise ValueError(f"labels of {one['name']}")
        ordered = {label: one["counts"][label] for label in labels}
        stages[str(one["name"])] = parity.spread(ordered, groups)
    wanted = dict.fromkeys([*critical, *map(str, found["critical"])])
    keep = max(parity.KEEP, min(float(found["keep"]), 1.0))
    return parity.judged(stages, labels, wanted, keep)


def _digests(found: Mapping[str, Any], names: Sequence[str], trained: Collection[str]) -> list[str]:
    """What hashes say: that this model was served, and that it was not tried on what it learned."""
    stages, model = dict(zip(names, found["stages"], strict=True)), found["model"]
    data = dict(found["data"]["files"])
    hashes = [*(one["digest"] for one in stages.values()), *data.values()]
    hashes += [found["scorer"]["sha256"], found["data"]["documents"]]
    if not data or not all(_HASH.fullmatch(str(one)) for one in hashes):
        raise ValueError("a hash is missing")
    if stages[_SERVED]["digest"] != model:
        return ["what was served is another model"]
    if names[-2] != "original" and stages[names[-2]]["digest"] != model:
        return [f"what was served is not the stage {names[-2]}"]
    if learned := sorted(name for name, one in data.items() if one in set(trained)):
        return [f"{learned[0]} was trained on, too"]
    return []
