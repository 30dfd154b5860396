"""Assertion cues of security texts: what was not seen, what is suspected, what may happen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Cue

_CUES: Final = (
    ("negated", "forward", 10, "no evidence of; no sign of; no signs of; did not; does not; do not; "
     "was not; were not; is not; are not; without; no; not affected by; not vulnerable to; "
     "did not observe; ruled out; unable to; failed to; never"),
    ("negated", "backward", 6, "was not observed; were not observed; was ruled out; not affected; "
     "not vulnerable; is patched; was blocked; were blocked; false positive"),
    ("possible", "forward", 10, "possible; possibly; suspected; suspect; likely; probable; "
     "probably; may have; might have; could have; appears to; believed to; potential; "
     "we assess; assess with low confidence; assess with moderate confidence"),
    ("possible", "backward", 6, "suspected; is likely; is possible; unconfirmed"),
    ("historical", "forward", 10, "previously; historically; in the past; formerly; last year; "
     "in earlier campaigns"),
    ("hypothetical", "forward", 12, "if; could allow; may allow; would allow; in case of; "
     "should an attacker; an attacker could; an attacker may; when exploited"),
    ("present", "stop", 1, "but; however; although; except; instead; whereas"),
    ("present", "pseudo", 1, "not only; no longer only; if not; not necessarily"),
)  # fmt: skip


@cache
def cues() -> Sequence[Cue]:
    """The cues, each phrase with its assertion, direction and reach in words."""
    return tuple(
        Cue(phrase.strip(), assertion, direction, reach)
        for assertion, direction, reach, phrases in _CUES
        for phrase in phrases.split(";")
    )
