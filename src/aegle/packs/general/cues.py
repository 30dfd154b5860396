"""Cues of plain English that hold in any document: denial, doubt and supposition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Cue

_FORWARD: Final = {
    "negated": "no; not; without; never; no evidence of; absence of; no sign of; no signs of; "
    "not affected by; not vulnerable to; is not; was not; does not; did not; neither; nor; "
    "no indication of; ruled out; free of; instead of; rather than; not using; not associated with",
    "possible": "possible; possibly; suspected; probable; probably; may be; might be; could be; "
    "likely; potential; potentially; appears to be; believed to be; suspicion of; may have; "
    "might have; could have; alleged; allegedly; presumably; perhaps; unconfirmed",
    "hypothetical": "if; in case of; in the event of; to prevent; to avoid; to protect against; "
    "unless; would be; should an; should a; what if; to defend against; protection against",
}
_BACKWARD: Final = {
    "negated": "was not found; not found; was ruled out; ruled out; not detected; not observed; "
    "not present; was not observed; was not detected; not seen; not affected; is not affected; "
    "not vulnerable; is not vulnerable; was excluded; were not observed",
    "possible": "is suspected; suspected; is possible; is likely; was suspected; is unconfirmed; "
    "cannot be excluded; not confirmed",
}
_STOP: Final = (
    "but; however; although; though; except; except for; which; who; because; therefore; whereas; "
    "while; ;; nevertheless; then"
)
_PSEUDO: Final = (
    "not only; no doubt; whether or not; not necessarily; if not; no change; not limited to; "
    "not just; no longer limited to; not yet patched; as not only; known not only"
)


@cache
def cues() -> Sequence[Cue]:
    """Every cue of plain English."""
    found = [Cue(p, said, "forward", 8) for said, some in _FORWARD.items() for p in _split(some)]
    found += [Cue(p, said, "backward", 6) for said, some in _BACKWARD.items() for p in _split(some)]
    found += [Cue(phrase, "", "stop", 0) for phrase in _split(_STOP)]
    found += [Cue(phrase, "", "pseudo", 0) for phrase in _split(_PSEUDO)]
    return tuple(found)


def _split(phrases: str) -> list[str]:
    # ";;" between two separators is the semicolon itself as a cue.
    marked = phrases.replace("; ;;", "; \0;")
    return [part.strip().replace("\0", ";") for part in marked.split(";") if part.strip()]
