"""The peers' half of `search_scale`: Chroma and LanceDB on the same vectors; needs no torch."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegle.lm.encoder import SentenceEncoder

K = 10
BATCH = 5_000

Answer = Callable[[str, Any], list[float]]
"""A question and its vector -> the cosines of the chunks found."""


def rows_of(home: Path) -> list[tuple[str, str]]:
    """(id, title and text) of each chunk."""
    with (home / "texts.jsonl").open(encoding="utf-8") as lines:
        return [(f"{n:08d}", "\n".join(json.loads(line))) for n, line in enumerate(lines)]


def chroma(folder: Path, rows: Sequence[tuple[str, str]], vectors: Any) -> Answer:
    """Chroma with its own defaults, on the disk: HNSW over cosines."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    made = client.create_collection(
        "chunks", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )
    for n in range(0, len(rows), BATCH):
        part = rows[n : n + BATCH]
        made.add(
            ids=[item for item, _ in part],
            documents=[text for _, text in part],
            embeddings=np.asarray(vectors[n : n + BATCH]),
        )

    def answer(question: str, vector: Any) -> list[float]:
        found = made.query(
            query_embeddings=[vector], n_results=K, include=["documents", "distances"]
        )
        return [1 - one for one in found["distances"][0]]

    return answer


def lancedb(
    folder: Path, rows: Sequence[tuple[str, str]], vectors: Any, indexed: bool, words: bool
) -> Answer:
    """LanceDB: vectors compared one by one or by its default index; alone or fused with words."""
    import lancedb as lance
    import pyarrow as pa

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
        table.create_index(metric="cosine", vector_column_name="vector")
    table.create_fts_index("text", use_tantivy=False)
    table.optimize()

    def answer(question: str, vector: Any) -> list[float]:
        if words:
            search = table.search(query_type="hybrid").vector(vector).text(question)
            search.distance_type("cosine").limit(K).to_list()
            return []
        search = table.search(vector, vector_column_name="vector").distance_type("cosine")
        found = search.select(["text", "_distance"]).limit(K).to_list()
        return [1 - row["_distance"] for row in found]

    return answer


def resident() -> int:
    """Resident bytes of this process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def measure(
    answer: Answer, asked: dict[str, Any], encoder: SentenceEncoder, *, recall: bool
) -> dict[str, Any]:
    """p50 and p95 with the embedding, and recall by cosine against the nearest ten of all."""
    times, shares = [], []
    for number, question in enumerate(asked["questions"]):
        start = time.perf_counter()
        found = answer(question, encoder.embed([question])[0])
        if number >= asked["warm"]:
            times.append(1000 * (time.perf_counter() - start))
        worst = asked["nearest"][number][-1] - 1e-4
        shares.append(sum(score >= worst for score in found) / K)
    told = {"p50_ms": round(float(np.percentile(times, 50)), 1)}
    told |= {"p95_ms": round(float(np.percentile(times, 95)), 1)}
    if recall:
        told["recall_vs_exact"] = round(float(np.mean(shares)), 4)
    return told | {"rss_bytes": resident()}


def main() -> None:
    """Measure one after the other; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--systems", nargs="*", default=["chroma", "lancedb", "lancedb_index", "lancedb_hybrid"])
    args = parser.parse_args()
    encoder = SentenceEncoder(args.model, threads=args.threads)
    asked = json.loads((args.home / "questions.json").read_text("utf-8"))
    vectors = np.load(args.home / "vectors.npy", mmap_mode="r")
    rows = rows_of(args.home)
    told: dict[str, Any] = {}
    for name in args.systems:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            if name == "chroma":
                answer = chroma(Path(folder), rows, vectors)
            else:
                indexed, words = name.endswith("_index"), "hybrid" in name
                answer = lancedb(Path(folder), rows, vectors, indexed, words)
            took = round(time.perf_counter() - start, 1)
            recall = "hybrid" not in name
            told[name] = {"build_s": took} | measure(answer, asked, encoder, recall=recall)
            print(json.dumps({name: told[name]}), flush=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
