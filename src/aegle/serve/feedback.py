"""Feedback on a reply, by the id in its header: a number, and no text."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from aegle.serve import wire
from aegle.serve.route import Router


class Feedback(wire.Body):
    """How good a reply was."""

    id: Annotated[str, Field(min_length=1, max_length=200, description="X-Aegle-Rollout")]
    score: Annotated[
        float, Field(ge=0, le=1, allow_inf_nan=False, examples=[1], description="1: right")
    ]


class Counted(BaseModel):
    """Whether feedback counts: a unit's first does, while the rollout runs."""

    counted: bool


def attach(app: FastAPI, router: Router) -> None:
    """Add the endpoint to the app."""

    @app.post("/v1/feedback", response_model=Counted, tags=["operations"])
    def feedback(body: Feedback, request: Request) -> Any:
        """Tell how good a reply was; in a rollout each unit counts once."""
        request.scope["aegle"]["items"] = 1
        return {"counted": router.feedback(body.id, body.score)}
