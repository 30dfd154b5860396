"""The peers' half of `search_scale`: Chroma and LanceDB on the same vectors; needs no torch."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegle.lm.encoder import SentenceEncoder

K = 10
BATCH = 5_000

Answer = Callable[[str, Any], list[int]]
"""A question and its vector -> the numbers of the chunks found."""


def rows_of(home: Path) -> list[tuple[str, str]]:
    """(id, title and text) of each chunk."""
    with (home / "texts.jsonl").open(encoding="utf-8") as lines:
        return [(f"{n:08d}", "\n".join(json.loads(line))) for n, line in enumerate(lines)]


def build_chroma(folder: Path, rows: Sequence[tuple[str, str]], vectors: Any) -> None:
    """Chroma with its own defaults, on the disk: HNSW over cosines."""
    made = _collection(folder)
    for n in range(0, len(rows), BATCH):
        part = rows[n : n + BATCH]
        made.add(
            ids=[item for item, _ in part],
            documents=[text for _, text in part],
            embeddings=np.asarray(vectors[n : n + BATCH]),
        )


def _collection(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    return client.get_or_create_collection(
        "chunks", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )


def open_chroma(folder: Path) -> Answer:
    """Ask what `build_chroma` left."""
    made = _collection(folder)

    def answer(question: str, vector: Any) -> list[int]:
        found = made.query(query_embeddings=[vector], n_results=K, include=["documents"])
        return [int(item) for item in found["ids"][0]]

    return answer


def build_lancedb(
    folder: Path, rows: Sequence[tuple[str, str]], vectors: Any, indexed: bool, words: bool
) -> None:
    """LanceDB: vectors compared one by one or by its default index; alone or with words."""
    import lancedb as lance
    import pyarrow as pa
    from lancedb.index import FTS, IvfPq

    database = lance.connect(str(folder))
    table = None
    for n in range(0, len(rows), 50_000):
        part, some = rows[n : n + 50_000], np.asarray(vectors[n : n + 50_000])
        made = pa.table(
            {
                "id": [item for item, _ in part],
                "text": [text for _, text in part],
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(some.ravel()), some.shape[1]),
            }
        )
        table = database.create_table("chunks", made) if table is None else table
        if n:
            table.add(made)
    assert table is not None
    if indexed:
        table.create_index("vector", config=IvfPq(distance_type="cosine"))
    if words:
        table.create_index("text", config=FTS())
    table.optimize()


def open_lancedb(folder: Path, words: bool) -> Answer:
    """Ask what `build_lancedb` left."""
    import lancedb as lance

    table = lance.connect(str(folder)).open_table("chunks")

    def answer(question: str, vector: Any) -> list[int]:
        if words:
            search = table.search(query_type="hybrid").vector(vector).text(question)
        else:
            search = table.search(vector, vector_column_name="vector")
        rows = search.distance_type("cosine").select(["id", "text"]).limit(K).to_list()
        return [int(row["id"]) for row in rows]

    return answer


def resident() -> int:
    """Resident bytes of this process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def measure(
    answer: Answer, asked: dict[str, Any], vectors: Any, encoder: SentenceEncoder, rounds: int
) -> dict[str, Any]:
    """p50 and p95 with the embedding, and recall by cosine against the nearest ten of all."""
    times, busy = ([float("inf")] * len(asked["questions"]) for _ in range(2))
    shares = []
    for _ in range(rounds):
        for number, question in enumerate(asked["questions"]):
            start, used = time.perf_counter(), time.process_time()
            vector = encoder.embed([question])[0]
            found = answer(question, vector)
            times[number] = min(times[number], 1000 * (time.perf_counter() - start))
            busy[number] = min(busy[number], 1000 * (time.process_time() - used))
            # By cosine, not by number: copies of a chunk count alike.
            cosines = vectors[np.array(found, np.int64)] @ vector
            shares.append((cosines >= asked["nearest"][number][-1] - 1e-5).sum() / K)
    p50, p95 = (round(float(np.percentile(times[asked["warm"] :], q)), 1) for q in (50, 95))
    told = {"cpu_p95_ms": round(float(np.percentile(busy[asked["warm"] :], 95)), 1)}
    told |= {"p50_ms": p50, "p95_ms": p95, "recall_vs_exact": round(float(np.mean(shares)), 4)}
    return told | {"rss_bytes": resident()}


def main() -> None:
    """Build or measure one system; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--system", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--built", type=Path, required=True, help="the system's own folder")
    parser.add_argument("--build", action="store_true", help="fill that folder, and no more")
    args = parser.parse_args()
    vectors = np.load(args.home / "vectors.npy", mmap_mode="r")
    indexed, words = args.system.endswith("_index"), args.system.endswith("_hybrid")
    if args.build:
        start, rows = time.perf_counter(), rows_of(args.home)
        if args.system == "chroma":
            build_chroma(args.built, rows, vectors)
        else:
            build_lancedb(args.built, rows, vectors, indexed, words)
        print(json.dumps({"build_s": round(time.perf_counter() - start, 1)}))
        return
    encoder = SentenceEncoder(args.model, threads=args.threads)
    asked = json.loads((args.home / "questions.json").read_text("utf-8"))
    chroma = args.system == "chroma"
    answer = open_chroma(args.built) if chroma else open_lancedb(args.built, words)
    told = measure(answer, asked, vectors, encoder, args.rounds)
    if words:  # they decide, too: it is no recall of vectors
        del told["recall_vs_exact"]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
