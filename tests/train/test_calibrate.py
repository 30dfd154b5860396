"""Calibration makes dev likeliest, and shifts "none" only where dev is large enough to tell."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from scipy.optimize import minimize_scalar  # noqa: E402
from scipy.special import log_softmax  # noqa: E402

from aegle.train.calibrate import temperature  # noqa: E402


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_is_where_scipy_finds_the_least_loss(true: float) -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(2000, 5)) * 2
    tags = np.array([rng.choice(5, p=np.exp(log_softmax(row))) for row in logits])

    def loss(one: float) -> float:
        return float(-log_softmax(logits * true / one, axis=1)[np.arange(2000), tags].mean())

    want = minimize_scalar(loss, bounds=(0.25, 8), method="bounded").x
    halves = [(logits * true).astype(np.float32)[:700], (logits * true).astype(np.float32)[700:]]
    assert temperature(halves, [tags[:700], tags[700:]]) == pytest.approx(want, rel=0.02)
    assert want == pytest.approx(true, rel=0.15)
