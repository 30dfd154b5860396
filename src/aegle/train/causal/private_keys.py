"""What a recipe says of differential privacy, and what of a recipe would undo it."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from aegle.train.keys import Part

DELTA: Final = 1e-5
"""What papers on DP-SGD take for some ten thousand records; it has to be below 1 in the units."""


class Privacy(Part):
    """DP-SGD: how much the weights may tell of any one group, or record."""

    epsilon: float | None = Field(
        None, gt=0, description="budget; without noise, the noise is found that spends it in all "
        "steps; with noise, the run ends before a step that would go beyond"
    )  # fmt: skip
    delta: float = Field(DELTA, gt=0, lt=1, description="below 1 in the number of units")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient of one unit")
    noise: float | None = Field(
        None, ge=0, description="standard deviation of the noise, in clips; 0 protects nothing"
    )
    unit: Literal["group", "record"] = Field(
        "group", description="what is protected: all of a patient, host or document; or one record"
    )
    units_per_step: int = Field(
        16, ge=1, description="drawn for a step on average, each unit by a toss of its own"
    )
    accountant: Literal["prv", "rdp"] = "prv"
    rounds: int = Field(1, ge=1, description="runs that share the budget, as of `aegle federate`")
    insecure_seed: int | None = Field(
        None, ge=0, description="draws that can be repeated, for tests: whoever knows the seed can "
        "take the noise away, so the card claims no guarantee"
    )  # fmt: skip

    @model_validator(mode="after")
    def _bounded(self) -> Privacy:
        if self.epsilon is None and self.noise is None:
            raise ValueError("privacy: say epsilon (the budget), noise, or both")
        if self.epsilon is not None and self.noise == 0:
            raise ValueError("noise: 0 spends any budget at once; leave it out, and it is found")
        return self


def undoes(recipe: Any) -> str:
    """What of a recipe of the kind pretrain or sft breaks the guarantee; empty: nothing."""
    told = {
        "mixing": (recipe.mixing, "how often a record is drawn would follow from other records"),
        "replay": (recipe.replay, "what was learned before isn't counted by this budget"),
        "distillation": (
            recipe.distillation,
            "a teacher's answers are kept unprotected, and its loss isn't taken unit by unit",
        ),
    }
    for key, (value, why) in told.items():
        if value is not None:
            return f"{key}: not with privacy: {why}; leave {key} or privacy out"
    if recipe.fold is not None or recipe.learn != 1:
        return (
            "folds and learning curves aren't for privacy: each run learns from the same units "
            "again, and their budgets would add up uncounted; leave --folds, --learning-curve, "
            "fold and learn out"
        )
    if recipe.duplicates == "drop":
        return (
            "duplicates: drop isn't for privacy: which record is left would follow from other "
            "units; take them out within each group beforehand, and say error"
        )
    if recipe.adapter.method == "adalora":
        return "adapter: AdaLoRA adds a penalty and prunes by step, which isn't accounted for; "\
            "take lora"  # fmt: skip
    if recipe.parallel.processes > 1:
        return "parallel: one process draws the units of a private step; leave parallel out"
    if recipe.optimiser.accumulation != 1:
        return "optimiser.accumulation: privacy.units_per_step says what a step holds; leave it out"
    return ""
