"""aegle-grounded as it ships: small, of a pinned base, and served as it was trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aegle.answer.prompt import messages
from aegle.core.artifacts import check_manifest, read_json
from aegle.lm import catalog, lora
from aegle.lm.known import KNOWN
from aegle.lm.llama import Llama
from aegle.testing.weights import WeightsUnavailableError, cached

FOLDER = Path(catalog.__file__).parents[1] / "weights" / "aegle-grounded"
PROMPTS = (
    "<|im_start|>user\nDoes metformin lower HbA1c?<|im_end|>\n<|im_start|>assistant\n",
    '<|im_start|>user\nEvidence:\n[1] "Nausea was the commonest adverse event."\n\nQuestion: What '
    "was the commonest adverse event?<|im_end|>\n<|im_start|>assistant\n",
    "The retromandibular approach is a safe approach for condylar",
)
