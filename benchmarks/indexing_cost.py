"""What indexing a megabyte of text costs: ours, and LightRAG with the same small models.

    python benchmarks/indexing_cost.py --data DIR [--peer PYTHON] [--kb 12] [--threads 2]

The sample are the first passages of a set under ``--data`` (`retrieval_sets`; 2wiki_101 unless
``--set`` says another), as one text file each. Ours is what `aegle ingest` does:
reading, de-identification, chunks, facts by the tagger, vectors, index and graph; and beside it
the graph of names and passages alone (`retrieve.passages`). The peer is a Python with lightrag-hku:
its language model is the packaged generator in llama.cpp, its embedder the packaged encoder, both
behind a port of this machine that this process opens in the shape of the OpenAI API and counts at.
Prompts, pieces and rounds are LightRAG's defaults; a reply ends after ``--reply`` tokens, since a
model of 135M parameters may never end one. So small a model extracts little: the figures are what
an index costs, not what it is worth; LightRAG recommends models 200 times as large, which would
take longer in proportion.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.ports import quiet
from aegle.flows import workspace
from aegle.flows.ingest import ingest
from aegle.flows.kit import open_kit
from aegle.lm.known import KNOWN
from aegle.retrieve.passages import Passage, graph_of
from retrieval_domain import read_domain
from retrieval_sets import read_set


class Counted(LlamaCppGenerator):
    """The generator, with the tokens that it read and wrote."""

    read = written = calls = 0

    def _ask(self, body: dict[str, Any], hear: Any = None) -> Any:
        reply = super()._ask(body, hear)
        self.calls += 1
        self.read += reply["usage"]["prompt_tokens"]
        self.written += reply["usage"]["completion_tokens"]
        return reply


def reference(name: str) -> str:
    """The catalogue's reference of a model."""
    return next(one.reference for one in KNOWN if one.name == name)


def sample(folder: Path, size_bytes: int) -> list[tuple[str, str]]:
    """The first passages of a set that together have about so many bytes."""
    kept: list[tuple[str, str]] = []
    left = size_bytes
    for title, text in (read_domain(folder) or read_set(folder)).passages:
        if left <= 0:
            break
        kept.append((title, text))
        left -= len(f"{title}\n{text}".encode())
    return kept


def ours(passages: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Seconds of the product's own `ingest`, all models open: another text has gone before."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("before", "texts"):
            (home / name).mkdir()
        (home / "before" / "one.txt").write_text("Aspirin was given. The ward is closed.", "utf-8")
        for number, (title, text) in enumerate(passages):
            (home / "texts" / f"{number:05d}.txt").write_text(f"{title}\n{text}", "utf-8")
        layout = workspace.create(home / "w")
        with open_kit(layout, workspace.load_settings(layout)) as kit:
            start = time.perf_counter()
            ingest(kit, [str(home / "before")], progress=quiet)
            opening = time.perf_counter() - start
            start = time.perf_counter()
            told = ingest(kit, [str(home / "texts")], progress=quiet)
            seconds = time.perf_counter() - start
    start = time.perf_counter()
    graph_of(Passage(str(n), title, text) for n, (title, text) in enumerate(passages))
    graph = time.perf_counter() - start
    return {"opening_s": opening, "seconds": seconds, "graph_alone_s": graph, "counts": told}


def serve(generator: Counted, encoder: OnnxEncoder, most: int) -> ThreadingHTTPServer:
    """Both models on a port of this machine, one request at a time."""
    mutex = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with mutex:
                reply = self.answer(body)
            sent = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def answer(self, body: dict[str, Any]) -> dict[str, Any]:
            if self.path.endswith("/embeddings"):
                vectors = encoder.embed(body["input"]).tolist()
                return {"data": [{"embedding": one, "index": n} for n, one in enumerate(vectors)]}
            text = generator.generate(body["messages"], max_tokens=most)
            return {"choices": [{"message": {"role": "assistant", "content": text}}]}

        def log_message(self, *_: Any) -> None:
            """Nothing: what is asked stands in no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def peer(
    python: str, passages: Sequence[tuple[str, str]], args: argparse.Namespace
) -> dict[str, Any]:
    """LightRAG over the same texts in a process of its own."""
    encoder = OnnxEncoder(reference("minilm"), threads=args.threads)
    generator = Counted(reference("smollm2"), threads=args.threads, context=8192)
    server = serve(generator, encoder, args.reply)
    warm = generator.calls, generator.read, generator.written
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.json"
        texts.write_text(json.dumps([f"{title}\n{text}" for title, text in passages]), "utf-8")
        script = Path(__file__).resolve().parent / "indexing_peer.py"
        command = [python, str(script), str(texts), f"http://127.0.0.1:{server.server_port}/v1"]
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        start = time.perf_counter()
        done = subprocess.run(
            [*command, str(encoder.width)], env=env, stdout=subprocess.PIPE, text=True, check=False
        )
        took = time.perf_counter() - start
    server.shutdown()
    if done.returncode:
        return {"failed": f"indexing_peer.py ended with {done.returncode}"}
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    counts = generator.calls - warm[0], generator.read - warm[1], generator.written - warm[2]
    generator.close()
    told |= dict(zip(("llm_calls", "tokens_read", "tokens_written"), counts, strict=True))
    return told | {"with_start_s": took}


def main() -> None:
    """Index the sample with each; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="2wiki_101")
    parser.add_argument("--kb", type=float, default=12)
    parser.add_argument("--peer", help="a Python with lightrag-hku")
    parser.add_argument("--reply", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    folder = args.data / args.set if (args.data / args.set).is_dir() else args.data
    passages = sample(folder, int(1000 * args.kb))
    size_mb = sum(len(f"{title}\n{text}".encode()) for title, text in passages) / 1e6
    told: dict[str, Any] = {"set": folder.name, "passages": len(passages), "mb": round(size_mb, 5)}
    told["ours"] = ours(passages) | {"tokens_read": 0, "tokens_written": 0}
    if args.peer:
        told["lightrag"] = peer(args.peer, passages, args)
    for name in ("ours", "lightrag"):
        if name in told and "seconds" in told[name]:
            one = told[name]
            one["seconds_per_mb"] = round(one["seconds"] / size_mb, 1)
            tokens = one["tokens_read"] + one["tokens_written"]
            one["llm_tokens_per_mb"] = round(tokens / size_mb)
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
