"""LitServe around the tagger, and around all that Aegle's endpoint does; a module, for its workers.

LitServe starts workers by spawning, so what they run has to be importable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import litserve as ls

from aegle.flows import extracting, workspace
from aegle.flows.kit import open_kit
from aegle.lm.tagger import Tagger

BATCH = {"max_batch_size": 16, "batch_timeout": 0.01}


class Tags(ls.LitAPI):  # type: ignore[misc]
    """The ONNX model, tags alone."""

    def __init__(self, model: str) -> None:
        super().__init__(**BATCH)
        self.model = model

    def setup(self, device: str) -> None:
        """Load it."""
        self.tagger = Tagger(Path(self.model))

    def decode_request(self, request: Any) -> Any:
        """The text."""
        return request["text"]

    def predict(self, texts: list[str]) -> Any:
        """Of a batch."""
        return self.tagger.tag(texts)

    def encode_response(self, output: Any) -> Any:
        """Places and labels."""
        spans = [one for found in output.values() for one in found]
        return {"entities": [[one.start, one.end, one.label] for one in spans]}


class Whole(ls.LitAPI):  # type: ignore[misc]
    """De-identified, with assertions, relations and links."""

    def __init__(self, workspace_: str) -> None:
        super().__init__(**BATCH)
        self.root = workspace_

    def setup(self, device: str) -> None:
        """Open a workspace."""
        layout = workspace.check(Path(self.root))
        self.kit = open_kit(layout, workspace.load_settings(layout)).__enter__()

    def decode_request(self, request: Any) -> Any:
        """The text and its domain."""
        return request["text"], request["domain"]

    def predict(self, asked: list[tuple[str, str]]) -> Any:
        """Of a batch."""
        return extracting.extract_texts(self.kit, asked)

    def encode_response(self, output: Any) -> Any:
        """As it is."""
        return output


def run(api: ls.LitAPI, port: int) -> None:
    """Serve until ended."""
    server = ls.LitServer(api, accelerator="cpu")
    server.run(port=port, host="127.0.0.1", log_level="warning", generate_client_file=False)
