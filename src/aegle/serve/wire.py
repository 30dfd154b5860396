"""Request and response bodies of the HTTP API, with examples for its OpenAPI page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_QUESTION = "What is PUMP-0042 connected to?"


class Body(BaseModel):
    """A body that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Ask(Body):
    """A question."""

    question: Annotated[str, Field(min_length=1, max_length=2000, examples=[_QUESTION])]
    generate: Annotated[bool | None, Field(description="let the generator phrase it")] = None
    k: Annotated[int, Field(ge=0, le=200, description="chunks to read; 0: the setting")] = 0


class Search(Body):
    """Words or a question."""

    question: Annotated[str, Field(min_length=1, max_length=2000, examples=["beta blocker held"])]
    k: Annotated[int, Field(ge=0, le=200, description="hits; 0: the setting")] = 0
    mode: Literal["dense", "text", "hybrid", "graph"] = "graph"


class Extract(Body):
    """A text to be understood; nothing of it is stored."""

    text: Annotated[
        str,
        Field(min_length=1, max_length=200_000, examples=["Denies chest pain. On warfarin 5 mg."]),
    ]
    domain: Literal["healthcare", "cybersecurity", "general"] = "general"


class Citation(BaseModel):
    """Characters start..end of a stored, de-identified document."""

    document_id: str
    start: int
    end: int
    text: str


class Claim(BaseModel):
    """A sentence with its evidence."""

    text: str
    citations: list[Citation]


class Hit(BaseModel):
    """A chunk that was found, and how."""

    chunk_id: str
    document_id: str
    score: float
    via: list[str]


class ShownHit(Hit):
    """A hit with its text."""

    start: int
    end: int
    text: str
    title: str
    kind: str
    group: str
    time: str


class Answer(BaseModel):
    """Claims, or a refusal."""

    question: str
    answer: str
    claims: list[Claim]
    refusal: str | None
    hits: list[Hit]


class Added(BaseModel):
    """Other names of something in the question, which were searched for, too."""

    of: str
    names: list[str]


class Hits(BaseModel):
    """Hits, best first."""

    question: str
    added: list[Added]
    hits: list[ShownHit]


class Entity(BaseModel):
    """Something named in a text."""

    start: int
    end: int
    text: str
    type: str
    assertion: str
    concepts: list[dict[str, str]]
    score: float
    key: str
    extractor: str
    document: int


class Relation(BaseModel):
    """A tie between two entities, by their places in the list."""

    head: int
    tail: int
    type: str
    score: float
    start: int
    end: int
    assertion: str
    document: int


class Facts(BaseModel):
    """What a text says; ``text`` is its de-identified form, which the offsets count in."""

    text: str
    entities: list[Entity]
    relations: list[Relation]


class Graph(BaseModel):
    """A neighbourhood or a path."""

    entity: dict[str, Any]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class Problem(BaseModel):
    """What went wrong: the class of the error, and what to do."""

    type: Annotated[str, Field(examples=["NotFoundError"])]
    message: Annotated[str, Field(examples=["no document has this id (16 characters)"])]
    status: Annotated[int, Field(examples=[404])]


class Failure(BaseModel):
    """The one shape of every error."""

    error: Problem
