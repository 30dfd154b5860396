"""How small and fast models become at the same worth, by `aegle compress` itself.

    python benchmarks/compress.py --data DATA [--models tagger,tram2,mts_dialog] [--work DIR]

``tagger``: the shipped one, span F1 on BioRED (label set biology), calibrated on 100 abstracts of
its training part, chosen by its dev part, reported on its test part. It is shipped in INT8, so that
its float model is made of those weights: what their rounding cost before isn't seen here (its card
tells scores from before). ``tram2``, ``mts_dialog``: MiniLM fine-tuned here (extra train) on three
quarters of the reports, or the training set; chosen by macro-F1 on half of the other reports, or
the validation set; reported on the other half, or both test sets. Bars: at most 30% of the float
model's bytes with at least 99% of its score and 3 times its speed. Trials and trained models lie in
``--work``: the same command goes on. The last line is one JSON object: the figures of the first
model, and of all under ``models``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from aegle.compress.search import Target
from aegle.flows.compress_parts import Data
from aegle.flows.compressing import compress
from compress_sets import classifier, mts_dialog, tagger, tram2

MODELS = ("tagger", "tram2", "mts_dialog")


def searched(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What one search came to."""
    work: Path = options.work
    if name == "tagger":
        model, *files = tagger(options.data, work)
    else:
        parts = (tram2 if name == "tram2" else mts_dialog)(options.data)
        model, *files = classifier(name, parts, work, epochs=options.epochs)
    choose, test, calibrate = files
    result = compress(
        model,
        data=Data(
            *(choose, "json", "public", calibrate, test, "biology" if name == "tagger" else ""),
            limit=options.limit,
        ),
        target=Target.parse(options.target, keep=options.keep),
        methods_wanted=options.method.split(","),
        out=work / f"{name}-compressed",
        trials=options.trials,
        minutes=options.minutes,
        threads=options.threads,
        progress=lambda step, done, total=None: None,
    )
    for one in sorted(result["trials"], key=lambda row: row["bytes"]):
        kept = one["retention"]
        print(
            f"{name} {one['name']:38} {one['size']:6.1%} kept {kept['value']:.4f} "
            f"[{kept['low']:.4f}, {kept['high']:.4f}] speed {one['speedup']:.2f} "
            f"failed {len(one['labels_failed'])} {'*' if one['chosen'] else ''}"
        )
    (best,) = [one for one in result["trials"] if one["chosen"]]
    held = result["held_out"]
    return {
        "model": name,
        "bytes_ratio": round(best["size"], 4),
        "retention": round(held["retention"]["value"], 4),
        "retention_interval": [round(held["retention"][end], 4) for end in ("low", "high")],
        "retention_where_chosen": round(best["retention"]["value"], 4),
        "speedup": round(best["speedup"], 2),
        "labels_failed": len(held["labels_failed"]),
        "failing": held["labels_failed"],
        "choice": best["name"],
        "meets": result["meets"],
        "score": result["score"],
        "float": round(held["float"]["value"], 4),
        "dequantised": result["float"]["dequantised"],
        "documents": held["documents"],
        "groups": held["groups"],
        "chose_by": result["documents"],
        "trials": len(result["trials"]),
    }


def main() -> None:
    """Search for each model and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/compress-benchmark"))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--method", default="int8,int8-dynamic,int8-static,prune,int4")
    parser.add_argument("--target", default="size=30%,speed=3")
    parser.add_argument("--keep", type=float, default=0.99)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=0, help="score so many documents; 0: all")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=60.0, help="of each search")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    names = options.models.split(",")
    if strange := sorted(set(names) - set(MODELS)):
        parser.error(f"no model {', '.join(strange)}; there are: {', '.join(MODELS)}")
    models = [searched(name, options) for name in names]
    contract = ("model", "bytes_ratio", "retention", "speedup", "labels_failed")
    print(json.dumps({**{key: models[0][key] for key in contract}, "models": models}))


if __name__ == "__main__":
    main()
