"""Recipes that learn from preferences: pairs, judged answers, and rewards that a program gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_serializer, model_validator

from aegle.train.causal.recipe import OUTPUTS, PROMPTS, Common, Source
from aegle.train.keys import Part, checked, read_tree
from aegle.train.rewards import Rewards, check_schema

OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "dpo": ("beta", "loss"),
    "orpo": ("beta",),
    "kto": ("beta", "desirable", "undesirable"),
    "reward": ("centre",),
}
"""Kind -> the keys that it alone, or not every kind, has."""

_OWN: Final = {name for names in OF_KIND.values() for name in names}

SCORING: Final = ("lora", "rslora", "dora", "ia3", "full")
"""Adapters that a reward model can be trained with: what gives the score is saved beside them."""


class _Compared(Common):
    """What recipes of this file have in common."""

    template: Literal["auto", "plain"] = Field(
        "auto",
        description="auto: the tokenizer's own chat template, or ChatML if it has none; plain: "
        "prompt and answer as they are, and an end-of-text token",
    )
    data: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _apart(self) -> _Compared:
        if self.overlong == "split":
            raise ValueError("overlong: an answer can't be split; say error or cut")
        if self.batches.packing == "on":
            raise ValueError(
                "batches.packing: compared answers stand in rows of their own; leave it out"
            )
        head = OUTPUTS & set(self.adapter.targets)
        if head:
            raise ValueError(
                f"adapter.targets: {min(head)} is the output layer, which is computed with as it "
                "is here; name others"
            )
        return self


class Preference(_Compared):
    """A run that learns which answers are better.

    ``data`` holds JSON lines: of dpo, orpo and reward ``prompt``, ``chosen`` and ``rejected``; of
    kto ``prompt``, ``completion`` and ``label`` (true: a good one). A prompt is a string or a list
    of messages.

    References:
        dpo: Rafailov et al. (2023); ipo: Azar et al. (2023); orpo: Hong et al. (2024); kto:
        Ethayarajh et al. (2024); reward: Bradley & Terry (1952), Ouyang et al. (2022).
    """

    kind: Literal["dpo", "orpo", "kto", "reward"]
    beta: float = Field(
        0.1, gt=0, description="how dear it is to leave the base; of orpo the weight of the odds"
    )
    loss: Literal["sigmoid", "ipo", "hinge"] = Field("sigmoid", description="of dpo")
    desirable: float = Field(1.0, gt=0, description="weight of good answers, of kto")
    undesirable: float = Field(1.0, gt=0, description="weight of bad answers, of kto")
    centre: float = Field(0.01, ge=0, description="pulls a pair's scores to a sum of 0, of reward")

    @model_serializer(mode="wrap")
    def _own(self, plain: Any) -> dict[str, Any]:
        """Without keys of other kinds, so that it may be read again."""
        others = _OWN - set(OF_KIND[self.kind])
        return {name: one for name, one in plain(self).items() if name not in others}

    @model_validator(mode="after")
    def _own_keys(self) -> Preference:
        known = OF_KIND[self.kind]
        for name in sorted(self.model_fields_set & _OWN - set(known)):
            raise ValueError(f"{name}: {self.kind} has no such key; its own are {', '.join(known)}")
        if self.kind == "reward" and self.adapter.method not in SCORING:
            raise ValueError(
                f"adapter.method: a reward model is trained with {', '.join(SCORING)}, not "
                f"{self.adapter.method}"
            )
        return self


class Sampling(Part):
    """How answers are drawn for rewards."""

    prompts: int = Field(2, ge=1, description="in a batch")
    group: int = Field(8, ge=2, description="answers drawn for each prompt")
    max_new_tokens: int = Field(128, ge=1, description="of one answer")
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)


class Rewarded(Part):
    """Which rewards of `aegle.train.rewards` count, and how much.

    ``citations`` and ``refusal`` read the key ``answerable`` of a record.
    """

    weights: dict[str, float] = Field(
        min_length=1, description=f"of {', '.join(Rewards.KINDS)}; their mean counts"
    )
    answer_schema: dict[str, Any] = Field(
        default_factory=dict, description="JSON schema of an answer, for schema"
    )
    least: int = Field(1, ge=1, description="words of an answer, for length")
    most: int = Field(80, ge=1, description="words of an answer, for length")
    refusal: str = Field("not stated", description="what a refusal says")

    @model_validator(mode="after")
    def _known(self) -> Rewarded:
        check_schema(self.answer_schema)
        if "schema" in self.weights and not self.answer_schema:
            raise ValueError("answer_schema: the reward named schema needs one, as JSON schema")
        if self.least > self.most:
            raise ValueError("least: it is above most")
        self.made()
        return self

    def made(self) -> Rewards:
        """The rewards, joined.

        Raises:
            ValueError: a name or weight that can't be.
        """
        return Rewards(
            self.weights,
            schema=self.answer_schema,
            least=self.least,
            most=self.most,
            refusal=self.refusal,
        )


class Rollout(_Compared):
    """A run that draws answers, has a program reward them, and makes the better ones likelier.

    ``data`` holds JSON lines of ``prompt`` and what the rewards read.

    References:
        grpo: Shao et al. (2024), DeepSeekMath; rloo: Ahmadian et al. (2024), Back to basics.
    """

    kind: Literal["grpo", "rloo"]
    rewards: Rewarded
    sampling: Sampling = Sampling()
    beta: float = Field(
        0.0, ge=0, description="weight of the distance to the base; 0: the base isn't asked"
    )

    @model_validator(mode="after")
    def _generates(self) -> Rollout:
        if self.adapter.method in PROMPTS and self.adapter.method != "prompt":
            # Their learned tokens are keys and values of a cache, which generating sizes otherwise.
            raise ValueError(
                f"adapter.method: {self.adapter.method} can't be sampled from while it is trained; "
                "take lora"
            )
        return self


def read_preference(path: Path, *, changes: dict[str, Any] | None = None) -> Preference:
    """A recipe file of the kind dpo, orpo, kto or reward.

    Args:
        path: YAML; ``extends: FILE`` takes what it doesn't say from another beside it.
        changes: dotted names and values to set.

    Raises:
        InputError: not YAML, an unknown or missing key (with a suggestion), a value out of range.
    """
    return checked(Preference, read_tree(path, changes=changes), path)


def read_rollout(path: Path, *, changes: dict[str, Any] | None = None) -> Rollout:
    """A recipe file of the kind grpo or rloo; as `read_preference`."""
    return checked(Rollout, read_tree(path, changes=changes), path)
