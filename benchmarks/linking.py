"""How often a name is linked to the right concept: ICD-10-CM as people write it, ATT&CK in reports.

``--dataset icd10cm``: names with slips, held-out synonyms, abbreviations, and names of nothing that
is known (linking_set.py says how they are made). acc@k: a right code is among the first k. The
result, ``acc_at_1`` and ``acc_at_5``, is of slips and synonyms (``names``): of the abbreviations,
``defined`` texts have the one form that our rule reads, and ``inventory`` items are made from the
very inventory that is at hand, so these two tell how well a written-out name is found, not how well
abbreviations are understood. They stand beside, and in ``all``.

Peers: exact lexicon, words by BM25, rapidfuzz where it is installed. All are asked for the same
name, with the short forms in it written out as ours does it. ``--dense`` ranks the best by spelling
again with the packaged encoder, ``--whole`` also compares every name's vector.

``--dataset tram2``: sentences of reports to ATT&CK techniques (linking_attack.py).

Threshold and weights were chosen on the ``dev`` half; ``test`` is what is reported.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.facts.abbreviations import Senses, expand, long_forms
from aegle.facts.candidates import Embed, plain
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import LEAST
from aegle.facts.linker import Linker
from aegle.lm import catalog
from aegle.metrics.stats import mean
from aegle.packs.healthcare.ontology import tabular_list
from linking_attack import attack
from linking_set import KINDS, Item, LinkingSet, build, half

Ranked = list[tuple[str, float]]
"""Codes with scores, best first."""
Peer = Callable[[str], Ranked]
"""A name, its short forms written out -> codes."""
HEADLINE: Final = ("typo", "synonym")


def written_out(item: Item, senses: Senses) -> str:
    """The item's name with what its document defines, or what the inventory says."""
    known = long_forms(item.document)
    if item.kind == "inventory":
        at = item.document.rindex(item.text)
        known = senses.read(item.document, at, at + len(item.text))
    return expand(item.text, known)


def linker_peer(linker: Linker) -> Peer:
    """Our linker."""

    def rank(name: str) -> Ranked:
        found = linker.candidates(name, "condition")
        return [(one.concepts[0].code, one.score) for one in found]

    return rank


def exact_peer(lexicon: Lexicon) -> Peer:
    """The lexicon's look-up, as before there were candidates."""

    def rank(name: str) -> Ranked:
        terms = sorted(lexicon.look_up(name), key=lambda term: -term.score)
        return [(term.concept.code, 1.0) for term in terms if term.concept][:5]

    return rank


def names_of(made: LinkingSet) -> tuple[list[str], list[list[str]]]:
    """The distinct names and the codes of each, the best scored first."""
    by_name: dict[str, list[str]] = {}
    for term in sorted(made.terms, key=lambda term: (-term.score, term.text)):
        if term.concept:
            by_name.setdefault(plain(term.text), []).append(term.concept.code)
    return list(by_name), list(by_name.values())


def first_codes(places: Sequence[int], scores: Sequence[float], codes: list[list[str]]) -> Ranked:
    """The first five distinct codes of ranked names."""
    ranked: dict[str, float] = {}
    for at, score in zip(places, scores, strict=True):
        for code in codes[at]:
            ranked.setdefault(code, float(score))
    return list(ranked.items())[:5]


def bm25_peer(made: LinkingSet) -> Peer:
    """Words only, by BM25."""
    import bm25s

    names, codes = names_of(made)
    index = bm25s.BM25()
    index.index([name.split() for name in names], show_progress=False)

    def rank(name: str) -> Ranked:
        found, scores = index.retrieve(
            [plain(name).split()], k=min(20, len(names)), show_progress=False
        )
        return first_codes(found[0], scores[0], codes) if scores[0][0] > 0 else []

    return rank


def fuzzy_peer(made: LinkingSet) -> Peer:
    """Edit distance of the sorted words, by rapidfuzz."""
    from rapidfuzz import fuzz, process

    names, codes = names_of(made)

    def rank(name: str) -> Ranked:
        found = process.extract(
            plain(name), names, scorer=fuzz.token_sort_ratio, processor=None, limit=20
        )
        return first_codes([at for _, _, at in found], [s / 100 for _, s, _ in found], codes)

    return rank


def whole_peer(made: LinkingSet, embed: Embed) -> Peer:
    """Meaning only, every name's vector compared."""
    names, codes = names_of(made)
    vectors = np.concatenate([embed(names[i : i + 512]) for i in range(0, len(names), 512)])

    def rank(name: str) -> Ranked:
        scores = vectors @ embed([plain(name)])[0]
        best = np.argsort(-scores)[:20]
        return first_codes(list(best), list(scores[best]), codes)

    return rank


def measure(
    peer: Peer, items: Sequence[Item], names: Sequence[str], least: float
) -> dict[str, object]:
    """acc@1, acc@5 by kind, of `HEADLINE` as ``names``, of all; NIL by a threshold; processor time.

    Args:
        peer: who is asked.
        items: what is right.
        names: what is asked for each.
        least: the score under which a peer is taken to know nothing.
    """
    began = time.process_time()
    ranked = [peer(name) for name in names]
    ms = (time.process_time() - began) * 1000 / len(items)
    out: dict[str, object] = {}
    rows = list(zip(items, ranked, strict=True))
    of_kind = {kind: (kind,) for kind in KINDS[:-1]} | {"names": HEADLINE, "all": KINDS}
    for kind, kinds in of_kind.items():
        chosen = [(i, r) for i, r in rows if i.codes and i.kind in kinds]
        groups = [item.group for item, _ in chosen]
        for k in (1, 5):
            hits = [bool(item.codes & {code for code, _ in r[:k]}) for item, r in chosen]
            found = mean(hits, groups=groups)
            out[f"{kind}@{k}"] = [round(v, 4) for v in (found.value, found.low, found.high)]
    linked = [bool(r) and r[0][1] >= least for _, r in rows]
    nil = [not item.codes for item, _ in rows]
    right = [bool(item.codes & {r[0][0]}) if r else False for item, r in rows]
    said_nil = [n for n, yes in zip(nil, linked, strict=True) if not yes]
    out["nil_precision"] = round(sum(said_nil) / max(1, len(said_nil)), 4)
    out["nil_recall"] = round(sum(said_nil) / max(1, sum(nil)), 4)
    of_linked = [ok for ok, yes in zip(right, linked, strict=True) if yes]
    out["link_precision"] = round(sum(of_linked) / max(1, len(of_linked)), 4)
    out["link_recall"] = round(sum(of_linked) / max(1, len(nil) - sum(nil)), 4)
    out["ms"] = round(ms, 2)
    return out


def diagnoses(args: argparse.Namespace) -> dict[str, object]:
    """The tables of every peer over ICD-10-CM; ours as the result."""
    folder = args.data / "clinical_abbreviations"
    made = build(tabular_list(catalog.resolve("icd10cm")), folder / "sense_distribution_448.txt")
    items = [item for item in made.items if args.half in ("all", half(item.group))]
    if args.limit:
        kinds = [[item for item in items if item.kind == kind] for kind in KINDS]
        items = [item for some in kinds for item in some[: args.limit]]
    lexicon = Lexicon.build(made.terms)
    peers: dict[str, Peer] = {"aegle": linker_peer(Linker([lexicon]))}
    peers["exact"] = exact_peer(lexicon)
    if find_spec("bm25s"):
        peers["bm25"] = bm25_peer(made)
    if find_spec("rapidfuzz"):
        peers["rapidfuzz"] = fuzzy_peer(made)
    if args.dense:
        encoder = OnnxEncoder(catalog.resolve("minilm"), threads=1)
        peers["aegle+dense"] = linker_peer(Linker([lexicon], embed=encoder.embed))
        if args.whole:
            peers["meaning"] = whole_peer(made, encoder.embed)
    began = time.perf_counter()
    peers["aegle"](items[0].text)
    print(f"{len(made.terms)} names, {len(items)} items, index {time.perf_counter() - began:.2f} s")
    senses = Senses(made.senses)
    names = [written_out(item, senses) for item in items]
    tables = {}
    for name, peer in peers.items():
        tables[name] = measure(peer, items, names, args.least)
        print(name, json.dumps(tables[name]), flush=True)
    ours = tables["aegle+dense" if args.dense else "aegle"]
    at_1, at_5 = ours["names@1"], ours["names@5"]
    return {"dataset": "icd10cm", "acc_at_1": at_1[0], "acc_at_5": at_5[0], "low": at_1[1],
            "high": at_1[2], "n": sum(item.kind in HEADLINE for item in items), **ours}  # fmt: skip


def main() -> None:
    """Print the tables and, last, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dataset", choices=("icd10cm", "tram2"), default="icd10cm")
    parser.add_argument("--half", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--dense", action="store_true", help="rank again by the packaged encoder")
    parser.add_argument("--whole", action="store_true", help="with --dense: every name's vector")
    parser.add_argument("--least", type=float, default=LEAST, help="the score under which is NIL")
    parser.add_argument("--limit", type=int, default=0, help="items of a kind, 0: all")
    parser.add_argument("--model", type=Path, help="tram2: a tagger's folder, for its classes")
    args = parser.parse_args()
    print(json.dumps(diagnoses(args) if args.dataset == "icd10cm" else attack(args)))


if __name__ == "__main__":
    main()
