"""What compress.py searches on: the shipped tagger with BioRED, two classifiers trained here."""

from __future__ import annotations

import csv
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aegle.lm.catalog import resolve
from aegle.train.data.formats import read_corpus, relabel

BIORED: Final = {
    "ChemicalEntity": "chemical",
    "DiseaseOrPhenotypicFeature": "disease",
    "GeneOrGeneProduct": "gene",
    "OrganismTaxon": "species",
    "SequenceVariant": "variant",
    "CellLine": "cell_line",
}
Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row]) -> Path:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return path


def tagger(data: Path, work: Path) -> tuple[str, Path, Path, Path]:
    """The shipped tagger; BioRED's dev part to choose by, its test part, some to calibrate with."""
    paths = []
    for part, most in (("Dev", None), ("Test", None), ("Train", 100)):
        found = read_corpus(
            data / "biored" / f"{part}.PubTator", format="pubtator", because="public"
        )
        rows = [
            {
                "text": str(one.text),
                "group": one.group,
                "labels": [[m.start, m.end, m.label] for m in one.labels],
            }
            for one in relabel(found[:most], BIORED)
        ]
        paths.append(write(work / f"biored-{part.lower()}.jsonl", rows))
    return "tagger", paths[0], paths[1], paths[2]


def tram2(data: Path) -> tuple[list[Row], list[Row], list[Row]]:
    """Sentences of reports with one technique each: to train, choose (an eighth), report (one)."""
    told = json.loads((data / "tram2" / "single_label.json").read_text("utf-8"))
    rows = [{"text": o["text"], "classes": [o["label"]], "group": o["doc_title"]} for o in told]
    reports = sorted({row["group"] for row in rows})
    random.Random(0).shuffle(reports)
    held = reports[: len(reports) // 4]
    parts = (reports[len(held) :], held[::2], held[1::2])
    train, choose, report = ([r for r in rows if r["group"] in set(part)] for part in parts)
    there = {row["text"] for row in choose}  # reports quote each other
    return train, choose, [row for row in report if row["text"] not in there]


def mts_dialog(data: Path) -> tuple[list[Row], list[Row], list[Row]]:
    """Sections of notes with their headers: training, validation, both test sets."""
    parts: list[list[Row]] = []
    for names in (("TrainingSet",), ("ValidationSet",), ("TestSet-1", "TestSet-2")):
        rows = []
        for path in sorted((data / "mts_dialog").glob("*.csv")):
            if any(f"MTS-Dialog-{name}" in path.name for name in names):
                with path.open(encoding="utf-8", newline="") as file:
                    rows += [
                        {
                            "text": one["section_text"],
                            "classes": [one["section_header"].strip()],
                            "group": f"{path.stem} {number}",
                        }
                        for number, one in enumerate(csv.DictReader(file))
                    ]
        parts.append([row for row in rows if row["text"].strip()])
    there = {row["text"] for row in parts[1]}
    return parts[0], parts[1], [row for row in parts[2] if row["text"] not in there]


def classifier(
    name: str, parts: tuple[list[Row], list[Row], list[Row]], work: Path, *, epochs: int
) -> tuple[str, Path, Path, Path]:
    """MiniLM with a classifier fine-tuned on the training part, once; its folder and documents.

    Classes with fewer than 5 training texts are left out, in all parts.
    """
    often = Counter(row["classes"][0] for row in parts[0])
    labels = sorted(one for one, count in often.items() if count >= 5)
    train, choose, test = ([r for r in part if r["classes"][0] in labels] for part in parts)
    folder = work / f"{name}-e{epochs}"
    if not (folder / "tokenizer.json").is_file():
        began = time.perf_counter()
        _fit(folder, train, labels, epochs)
        print(f"{name}: {len(train)} texts, {epochs} epochs, {time.perf_counter() - began:.0f} s")
    # A dialogue's sections share no group here; the texts that calibrate are the first 200 learned.
    some = (("choose", choose), ("test", test), ("calibrate", train[:200]))
    files = [write(work / f"{name}-{part}.jsonl", rows) for part, rows in some]
    return str(folder), files[0], files[1], files[2]


def _fit(folder: Path, train: list[Row], labels: list[str], epochs: int) -> None:
    import torch
    from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    base = resolve("minilm")
    words = PreTrainedTokenizerFast(
        tokenizer_file=str(base / "tokenizer.json"), pad_token="[PAD]", model_max_length=128
    )
    model = BertForSequenceClassification.from_pretrained(
        base,
        id2label=dict(enumerate(labels)),
        label2id={name: n for n, name in enumerate(labels)},
        problem_type="single_label_classification",
    )
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.01)
    steps, done, rng = epochs * -(-len(train) // 32), 0, random.Random(0)
    for _ in range(epochs):
        order = sorted(rng.sample(train, len(train)), key=lambda row: len(row["text"]) // 40)
        batches = [order[at : at + 32] for at in range(0, len(order), 32)]
        rng.shuffle(batches)
        for batch in batches:
            optimiser.param_groups[0]["lr"] = 2e-4 * min(
                (done + 1) / (0.1 * steps), 1 - done / steps
            )
            given = words(
                [row["text"] for row in batch], padding=True, truncation=True, return_tensors="pt"
            )
            given.pop("token_type_ids", None)
            wanted = torch.tensor([labels.index(row["classes"][0]) for row in batch])
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(**given, labels=wanted).loss
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            done += 1
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
