"""How much memory a run took at most, of the machine and of the accelerator."""

from __future__ import annotations

import resource
import sys

import torch


def peaks() -> dict[str, int]:
    """``peak_bytes`` of this process, and ``device_peak_bytes`` where an accelerator computed."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"peak_bytes": most if sys.platform == "darwin" else most * 1024}
    if torch.cuda.is_available():
        found["device_peak_bytes"] = torch.cuda.max_memory_allocated()
    return found
