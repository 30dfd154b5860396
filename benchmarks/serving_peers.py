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

    globals()["Body"] = Body  # FastAPI looks annotations up among the module's names

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

    uvicorn.run(app, port=args.port, log_level="warning")


def litserve(args: argparse.Namespace) -> None:
    """LitServe around the tagger."""
    import serving_lit

    serving_lit.run(serving_lit.Tags(args.model), args.port)


def litserve_whole(args: argparse.Namespace) -> None:
    """LitServe around what Aegle's endpoint does."""
    import serving_lit

    serving_lit.run(serving_lit.Whole(args.workspace), args.port)


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
