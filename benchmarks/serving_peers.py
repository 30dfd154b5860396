"""What serving.py compares with, as their own guides begin: each a server, started as a script.

    python serving_peers.py hf --port 9001 --model FOLDER --scratch DIR
    python serving_peers.py litserve --port 9001 --model FOLDER
    python serving_peers.py litserve-whole --port 9001 --workspace DIR
    python serving_peers.py llama --port 9001 --file MODEL.gguf --context 4096

``hf``: FastAPI around a token-classification pipeline, FP32, one text a call. ``litserve``: the
same ONNX model as Aegle serves, LitServe's batching (16 texts, 10 ms), tags only.
``litserve-whole``: likewise, doing all that Aegle's endpoint does (de-identification, assertions,
relations, links). ``llama``: llama.cpp's own HTTP server, from the library that Aegle embeds.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any


def hf(args: argparse.Namespace) -> None:
    """FastAPI and a Hugging Face pipeline."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    from tagger_contenders import token_pipeline

    asked = token_pipeline({"model": args.model, "scratch": args.scratch, "threads": 0})
    app = FastAPI()

    class Body(BaseModel):
        text: str

    @app.post("/predict")
    def predict(body: Body) -> Any:
        return [
            {
                **one,
                "score": float(one["score"]),
                "start": int(one["start"]),
                "end": int(one["end"]),
            }
            for one in asked(body.text)
        ]

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    globals()["Body"] = Body  # FastAPI looks annotations up among the module's names
    uvicorn.run(app, port=args.port, log_level="warning")


def litserve(args: argparse.Namespace) -> None:
    """LitServe around the tagger."""
    import litserve as ls

    from aegle.lm.tagger import Tagger

    class Api(ls.LitAPI):  # type: ignore[misc]
        def setup(self, device: str) -> None:
            self.tagger = Tagger(Path(args.model))

        def decode_request(self, request: Any) -> Any:
            return request["text"]

        def predict(self, texts: list[str]) -> Any:
            return self.tagger.tag(texts)

        def encode_response(self, output: Any) -> Any:
            return {"entities": [[one.start, one.end, one.label] for one in _flat(output)]}

    _lit(ls, Api, args.port)


def litserve_whole(args: argparse.Namespace) -> None:
    """LitServe around what Aegle's endpoint does."""
    import litserve as ls

    from aegle.flows import extracting, workspace
    from aegle.flows.kit import open_kit

    class Api(ls.LitAPI):  # type: ignore[misc]
        def setup(self, device: str) -> None:
            layout = workspace.check(Path(args.workspace))
            self.kit = open_kit(layout, workspace.load_settings(layout)).__enter__()

        def decode_request(self, request: Any) -> Any:
            return request["text"]

        def predict(self, texts: list[str]) -> Any:
            return extracting.extract_texts(self.kit, [(text, "clinical") for text in texts])

        def encode_response(self, output: Any) -> Any:
            return output

    _lit(ls, Api, args.port)


def _lit(ls: Any, api: Any, port: int) -> None:
    try:
        server = ls.LitServer(api(max_batch_size=16, batch_timeout=0.01), accelerator="cpu")
    except TypeError:  # before 0.2.11 batching was the server's
        server = ls.LitServer(api(), accelerator="cpu", max_batch_size=16, batch_timeout=0.01)
    server.run(port=port, host="127.0.0.1", log_level="warning", generate_client_file=False)


def _flat(output: Any) -> list[Any]:
    return [one for found in output.values() for one in found]


def llama(args: argparse.Namespace) -> None:
    """llama.cpp's own server, with the numbers that Aegle gives it."""
    import os

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = args.file
    params.n_ctx, params.n_parallel, params.verbosity = args.context, 1, -1
    cores = os.cpu_count() or 1
    params.cpuparams.n_threads = max(1, cores // 2)
    params.cpuparams_batch.n_threads = cores
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.port, params.hostnames, params.ui = args.port, ["127.0.0.1"], False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


SERVERS = {"hf": hf, "litserve": litserve, "litserve-whole": litserve_whole, "llama": llama}


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("name", choices=SERVERS)
    add("--port", type=int, required=True)
    for name in ("model", "scratch", "workspace", "file"):
        add(f"--{name}", default="")
    add("--context", type=int, default=4096)
    args = parser.parse_args()
    SERVERS[args.name](args)


if __name__ == "__main__":
    main()
