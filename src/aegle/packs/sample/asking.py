"""What a question is, and the desk at which questions are made."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aegle.packs.sample.gold import Shelf
from aegle.packs.sample.intrusion import Intrusion
from aegle.packs.sample.world import Patient, World


@dataclass(frozen=True, slots=True)
class Asked:
    """A question; no accepted answer means that a refusal is right.

    ``evidence`` are passages that an answer needs, all of them, one hop or two cells of a row.
    ``entities`` are keys of the graph that lie on the way, ``device:pump-0042``.
    """

    question: str
    answers: tuple[str, ...]
    evidence: tuple[dict[str, Any], ...]
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """All that is needed to make questions: the model, the story, the proofs, and chance."""

    world: World
    story: Intrusion
    shelf: Shelf
    rng: random.Random

    def patients(self) -> list[Patient]:
        """Every patient, in random order."""
        return self.rng.sample(self.world.patients, len(self.world.patients))

    def call(self, patient: Patient) -> str:
        """What someone would call a patient: by number or by name."""
        if self.rng.random() < 0.5:
            return f"patient {patient.mrn}"
        return f"patient {patient.person.name}"

    def proofs(self, *keys: str) -> tuple[dict[str, Any], ...]:
        """The passages that prove these facts.

        Raises:
            KeyError: a fact that no file proves.
        """
        return tuple(self.shelf.proof(key) for key in keys)

    def ask(self, question: str, answers: str | tuple[str, ...], *keys: str, on: str = "") -> Asked:
        """A question proved by facts; ``on`` names entities, separated by blanks."""
        accepted = (answers,) if isinstance(answers, str) else answers
        return Asked(question, accepted, self.proofs(*keys), tuple(on.split()))


Maker = Callable[[Desk], Iterator[Asked]]
"""Makes questions of one sort, as many as the model has, best first."""


def device(tag: str) -> str:
    """The graph key of a device."""
    return f"device:{tag.lower()}"


def host(name: str) -> str:
    """The graph key of a host."""
    return f"host:{name.lower()}"


def ward(code: str) -> str:
    """The graph key of a ward."""
    return f"ward:{code.lower()}"


def record(patient: Patient) -> str:
    """The reference of a patient before it becomes a pseudonym."""
    return f"patient/{patient.mrn}"
