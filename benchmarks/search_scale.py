"""How long a question takes among many chunks: hybrid, with the graph, with reranking; and peers.

    python benchmarks/search_scale.py --chunks N --data DIR [--peers PYTHON] [--threads 2] [--json]

Texts, vectors and questions are those of `scale_corpus`: up to about 145,000 chunks are real, what
goes beyond is made, and then says nothing of quality. Where the processor is too slow to embed all
real texts, ``--embed N`` embeds the first N and gives the others vectors of these with noise.

All runs on ``--threads`` cores. Milliseconds are those of `aegle search` in a workspace that holds
these chunks, asked as its users ask: names and abbreviations of the question, its embedding, the
searches, their other names, and the texts of ten hits; p95 with a 95% interval over the questions.
``hybrid`` and ``graph`` are the modes of that name; ``rerank`` is ``graph`` with
``retrieve.rerank``. The workspace has no facts: nothing was extracted from these texts.
``--no-store`` keeps the index alone, and measures words and meaning of it. ``recall_vs_exact`` is
that of the index's dense search at 10 against a comparison with each vector. ``rss_bytes`` is the
resident memory of a process that has only opened what is there and answered in mode hybrid
(``rss`` also tells the later states, and how much of it are pages of files, which the system may
take back).

``--index`` and ``--kind`` choose the index as ``backends.index`` and ``backends.index_kind`` do.
``--peers`` is a Python with chromadb and lancedb and without torch: they get the same vectors, and
questions embedded by the same encoder in their process. Chroma has no BM25 in its local edition, so
it searches vectors only; LanceDB does both (``lancedb_hybrid``, its own fusion), by comparing each
vector and by its own choice of index. A process builds, another opens and answers, of peers as of
ours. ``--rounds`` asks all questions so many times and counts each one's least time, for a machine
that other work shares. ``--keep`` is a folder where what was built stays for another run with the
same arguments; ``--cache`` keeps vectors of real texts. ``--only`` runs some parts of it. ``cpu``
is the time of all threads together: without other work on the machine and without waiting for the
disk, the clock should show no more than that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.core.ports import Vectors
from aegle.core.records import Document, Facts, Stored
from aegle.flows import naming
from aegle.lm.catalog import resolve
from aegle.lm.known import KNOWN
from retrieval import chunk_of, embedded
from scale_corpus import Bigrams, jittered, passages, questions
from scale_search import open_workspace, vectors_at

BLOCK: Final = 10_000
PART: Final = 2_500
ENCODER: Final = "minilm"
K: Final = 10
PEERS: Final = ("chroma", "lancedb", "lancedb_index", "lancedb_hybrid")


def reference(name: str) -> str:
    """The catalogue's reference of a model."""
    return next((one.reference for one in KNOWN if one.name == name), name)


def prepare(home: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Texts, vectors and questions as files, and the nearest ten of each question by comparison."""
    encoder = OnnxEncoder(reference(ENCODER), threads=args.threads)
    real = passages(args.data)[: args.chunks]
    more = args.chunks - len(real)
    rng = np.random.default_rng(80)
    with (home / "texts.jsonl").open("w", encoding="utf-8") as out:
        for title, text in real:
            out.write(json.dumps([title, text]) + "\n")
        made = Bigrams(real)
        for start in range(0, more, BLOCK):
            for text in made.texts(min(BLOCK, more - start), rng):
                out.write(json.dumps(["", text]) + "\n")
    start = time.perf_counter()
    known = embedded_all(real[: args.embed], encoder, args.cache)
    took = time.perf_counter() - start
    shape = (args.chunks, encoder.width)
    stored = np.lib.format.open_memmap(home / "vectors.npy", "w+", np.float32, shape)
    stored[: len(known)] = known
    for n in range(len(known), args.chunks, BLOCK):
        stored[n : n + BLOCK] = jittered(known, min(BLOCK, args.chunks - n), rng)
    stored.flush()
    asked = questions(args.data)[: args.queries + args.warm]
    nearest = exact(stored, encoder.embed(asked))
    about = {"questions": asked, "warm": args.warm, "nearest": nearest.tolist()}
    (home / "questions.json").write_text(json.dumps(about), "utf-8")
    told = {"real": len(real), "made": more, "embedded": len(known)}
    return told | {"embedding_s": round(took, 1)}


def embedded_all(
    real: Sequence[tuple[str, str]], encoder: OnnxEncoder, cache: Path | None
) -> Vectors:
    """Vectors of passages; kept in ``cache`` part by part, so that a run cut short can go on."""
    told = [f"{title}\n{text}" if title else text for title, text in real]
    parts = [told[n : n + PART] for n in range(0, len(told), PART)]
    return np.concatenate([embedded(part, encoder, cache) for part in parts])


def exact(vectors: Vectors, asked_QC: Vectors) -> Any:
    """The cosines (Q, K) of the nearest `K` chunks of each question, by comparing with all."""
    best_QK = np.full((len(asked_QC), K), -2.0, np.float32)
    for n in range(0, len(vectors), 10 * BLOCK):
        cosines = asked_QC @ np.asarray(vectors[n : n + 10 * BLOCK]).T
        best_QK = -np.partition(-np.concatenate([best_QK, cosines], 1), K - 1, 1)[:, :K]
    return np.sort(best_QK, 1)[:, ::-1]


def build(home: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A workspace of the texts; seconds. What a cut run put in stays."""
    vectors = vectors_at(home)
    took = {"index": 0.0, "store": 0.0, "names": 0.0}
    with open_workspace(home, args) as kit, (home / "texts.jsonl").open(encoding="utf-8") as lines:
        done = kit.index.count()
        for n in range(0, args.chunks, BLOCK):
            rows = [json.loads(next(lines)) for _ in range(min(BLOCK, args.chunks - n))]
            if n + len(rows) <= done:
                continue
            chunks = [chunk_of(n + m, title, text) for m, (title, text) in enumerate(rows)]
            some = np.asarray(vectors[n : n + len(chunks)])
            if not args.no_store:
                begun = time.perf_counter()
                kit.corpus.put([Stored(_document(one), (one,), Facts()) for one in chunks])
                then = time.perf_counter()
                naming.note(kit, chunks, some)
                took["store"] += then - begun
                took["names"] += time.perf_counter() - then
            begun = time.perf_counter()
            kit.index.add(chunks, some)
            took["index"] += time.perf_counter() - begun
        begun = time.perf_counter()
    took["index"] += time.perf_counter() - begun
    return {name: round(seconds, 1) for name, seconds in took.items()}


def check_kept(home: Path, args: argparse.Namespace) -> None:
    """See that what lies in a folder was made by the same arguments.

    Raises:
        SystemExit: it was not; figures of other texts would be told as of these.
    """
    names = ("chunks", "embed", "queries", "warm", "no_store")
    about = {name: getattr(args, name) for name in names} | {"data": str(args.data.resolve())}
    note = home / "about.json"
    if note.is_file() and (held := json.loads(note.read_text("utf-8"))) != about:
        other = ", ".join(name for name, value in about.items() if held.get(name) != value)
        raise SystemExit(f"--keep {home} was made with another {other}; name another folder")
    note.write_text(json.dumps(about), "utf-8")


def _document(chunk: Any) -> Document:
    return Document(chunk.document_id, chunk.kind, chunk.domain, chunk.text, chunk.title)


def child(python: str, script: str, home: Path, args: Sequence[str]) -> dict[str, Any]:
    """What another process measures: the JSON of its last line."""
    here = Path(__file__).resolve().parent
    paths = os.pathsep.join([str(here.parent / "src"), str(here)])
    env = os.environ | {"PYTHONPATH": paths, "OMP_WAIT_POLICY": "passive"}
    command = [python, str(here / script), str(home), *args]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"failed": f"{script} ended with {done.returncode}"}
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def measured(home: Path, args: argparse.Namespace) -> dict[str, Any]:
    """All figures; the parts that ``--only`` leaves out are left out."""
    told: dict[str, Any] = {"chunks": args.chunks, "threads": args.threads, "index": args.index}
    if not (home / "questions.json").is_file():
        told["texts"] = prepare(home, args)
    if "ours" in args.only:
        if not (home / f"built-{args.index}-{args.kind}").exists():
            told["build_s"] = build(home, args)
            (home / f"built-{args.index}-{args.kind}").touch()
        options = ["--threads", str(args.threads), "--index", args.index, "--kind", args.kind]
        options += ["--encoder", args.encoder, "--rerank", args.rerank]
        options += ["--rounds", str(args.rounds), "--reranked", str(args.reranked)]
        options += ["--pieces", str(args.pieces)]
        options += ["--top", str(args.top), *(["--no-store"] if args.no_store else [])]
        told |= child(sys.executable, "scale_search.py", home, options)
    if "peers" in args.only and args.peers:
        model = str(resolve(reference(ENCODER)))
        told["peers"] = {}
        for name in args.systems:
            options = ["--threads", str(args.threads), "--model", model, "--system", name]
            options += ["--rounds", str(args.rounds)]
            with tempfile.TemporaryDirectory() as folder:
                options += ["--built", folder]
                each = child(args.peers, "scale_peers.py", home, [*options, "--build"])
                if "failed" not in each:
                    each |= child(args.peers, "scale_peers.py", home, options)
            told["peers"][name] = each
    return told


def main() -> None:
    """Prepare, build, measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embed", type=int, help="so many real passages at most; without it all")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--peers", help="a Python with chromadb and lancedb")
    parser.add_argument("--systems", nargs="*", default=list(PEERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=1, help="the least time of so many counts")
    parser.add_argument("--reranked", type=int, default=100, help="questions with reranking")
    parser.add_argument("--warm", type=int, default=20, help="questions asked before the clock")
    parser.add_argument("--index", default="qdrant-edge", choices=("qdrant-edge", "faiss"))
    parser.add_argument("--kind", default="auto", help="of faiss: backends.index_kind")
    parser.add_argument("--rerank", default="ms-marco-minilm", help="as retrieve.rerank")
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--pieces", type=int, default=512, help="as retrieve.rerank_tokens")
    parser.add_argument("--no-store", action="store_true", help="the index alone")
    parser.set_defaults(encoder=reference(ENCODER))
    parser.add_argument("--only", nargs="*", default=["ours", "peers"])
    parser.add_argument("--json", action="store_true", help="as all benchmarks: always so")
    args = parser.parse_args()
    # Before any library starts its threads in this process; the others inherit it.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    with tempfile.TemporaryDirectory() as folder:
        home = args.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        check_kept(home, args)
        print(json.dumps(measured(home, args)))


if __name__ == "__main__":
    main()
