"""Whether work grows no faster than its input, told without a clock's limit.

A slow or busy machine slows both sizes alike, so what is compared is how much longer four times the
input takes: about 4 where time is linear, 16 where it is quadratic. A single pair can be off, so a
test fails only where every one of several pairs says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

GROWTH: Final = 9.0
"""Between 4 (linear) and 16 (quadratic), nearer to neither by ratio."""
TOO_SHORT_S: Final = 0.02
"""What takes less at four times the size isn't slow, and can't be told from the clock's grain."""


def grows_linearly(work: Callable[[str], Any], unit: str, size: int, pairs: int = 4) -> bool:
    """Whether ``work`` on ``size`` characters of repeated ``unit`` takes time linear in them."""
    for _ in range(pairs):
        small, large = (_seconds(work, unit * (n // len(unit))) for n in (size // 4, size))
        if large < TOO_SHORT_S or large < GROWTH * small:
            return True
    return False


def _seconds(work: Callable[[str], Any], text: str) -> float:
    started = time.process_time()
    work(text)
    return time.process_time() - started
