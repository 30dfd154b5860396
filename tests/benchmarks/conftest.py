"""Scripts as modules, and the tiny encoder and corpora that training is tested on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

_spec = importlib.util.spec_from_file_location("train_conftest", ROOT / "tests/train/conftest.py")
assert _spec
assert _spec.loader
_train = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_train)
tiny, corpora = _train.tiny, _train.corpora
