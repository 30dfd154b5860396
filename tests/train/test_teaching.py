"""What teachers think is learned of words, mentions and pairs, and of texts without labels."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.core.errors import InputError  # noqa: E402
from aegle.lm.encoder import read_tokenizer  # noqa: E402
from aegle.train.checkpoint import read_tensors  # noqa: E402
from aegle.train.data.formats import read_corpus  # noqa: E402
from aegle.train.heads import tensors  # noqa: E402
from aegle.train.loss import Criterion  # noqa: E402
from aegle.train.network import Network  # noqa: E402
from aegle.train.predict import word_logits, word_starts  # noqa: E402
from aegle.train.recipe import Recipe  # noqa: E402
from aegle.train.run import read_parts, read_unlabelled, run, tag_data  # noqa: E402
from aegle.train.teach import Teacher  # noqa: E402


def recipe(**changes: Any) -> Recipe:
    told: dict[str, Any] = {
        "name": "tiny",
        "max_pieces": 40,
        "overlap": 8,
        "tasks": {"drugs": {"labels": ["Drug"]}, "hosts": {"labels": ["Host"]}},
        "corpora": [
            {
                "task": task,
                "train": f"{task}-train.txt",
                "dev": f"{task}-dev.txt",
                "test": f"{task}-test.txt",
                "names": {label: label},
                "licence": "made here",
                "safe_because": "made here",
            }
            for task, label in (("drugs", "Drug"), ("hosts", "Host"))
        ],
        "optimiser": {"lr": 3e-3, "head_lr": 1e-2, "epochs": 2, "batch_words": 512},
    }
    return Recipe.model_validate({**told, **changes})


@pytest.fixture(scope="module")
def teachers(
    tiny: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    made = []
    for rate in (3e-3, 2e-3):
        folder = tmp_path_factory.mktemp("teacher")
        told = recipe(
            optimiser={"lr": rate, "head_lr": 1e-2, "epochs": 6, "batch_words": 512}, serve=False
        )
        run(told, base=tiny, data=corpora, folder=folder)
        made.append(folder)
    return made[0], made[1]


def _logs(folder: Path, told: Recipe, base: Path, data: Any, task: str) -> Any:
    net = Network.of(told, base)
    net.load_state_dict(read_tensors(folder / "best.safetensors"))
    return torch.log_softmax(
        torch.from_numpy(np.concatenate(word_logits(net, data, size=512, tasks=(task,))[task])), 1
    )


def test_several_teachers_think_what_they_think_on_average(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(distillation={"teacher": [str(one) for one in teachers]})
    train = tag_data(
        told, read_parts(told, corpora), "train", read_tokenizer(tiny / "tokenizer.json")
    )
    teacher = Teacher(teachers, told, train, cache=tmp_path, device="cpu")
    batch = next(train["drugs"].batches(size=512, seed=1))
    said = teacher(batch)
    assert set(said.words) == {"drugs", "hosts"}
    assert said.mentions is None and said.pairs is None
    which = word_starts(train["drugs"])[batch.words_N2[:, 0]] + batch.words_N2[:, 1]
    for task, rows in said.words.items():
        wanted = sum(_logs(one, told, tiny, train["drugs"], task) for one in teachers) / 2
        assert torch.allclose(rows.float(), wanted[which], atol=0.02)
    kept = list(tmp_path.glob("opinions-*.safetensors"))
    assert len(kept) == len(teachers) * len(train)


def test_only_the_heads_that_are_named_are_taught(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(distillation={"teacher": str(teachers[0]), "heads": ["hosts"]})
    train = tag_data(
        told, read_parts(told, corpora), "train", read_tokenizer(tiny / "tokenizer.json")
    )
    teacher = Teacher(teachers[:1], told, train, cache=tmp_path, device="cpu")
    assert set(teacher(next(train["drugs"].batches(size=512, seed=1))).words) == {"hosts"}


def test_the_loss_of_a_teacher_is_the_divergence_and_no_opinion_costs_nothing(tiny: Path) -> None:
    told = recipe(distillation={"teacher": "t", "weight": 1.0, "temperature": 2.0})
    loss = Criterion(told, {})
    generator = torch.Generator().manual_seed(0)
    mine, theirs = (torch.randn(5, 3, generator=generator) for _ in range(2))
    p, q = torch.softmax(theirs / 2, 1), torch.softmax(mine / 2, 1)
    wanted = (p * (p / q).log()).sum(1).mean() * 4
    assert float(loss._divergence(mine, theirs)) == pytest.approx(float(wanted), rel=1e-4)
    more = torch.cat([theirs, torch.full((2, 3), torch.nan)])
    again = loss._divergence(torch.cat([mine, torch.randn(2, 3)]), more)
    assert float(again) == pytest.approx(float(wanted), rel=1e-4)


def test_texts_without_labels_are_learned_of_teachers_alone(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    texts = [f"abcd xeda bc{number} abc01" for number in range(20)]
    held_out = read_parts(recipe(), corpora)[0].test
    long = " ".join(str(one.text) for one in held_out if one.group == held_out[0].group)
    rows = [{"body": text} for text in [*texts, long]]
    (corpora / "more.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = recipe(
        unlabelled=[
            {
                "train": "more.jsonl",
                "columns": {"text": "body"},
                "licence": "made",
                "safe_because": "x",
            }
        ],
        distillation={"teacher": str(teachers[0]), "weight": 0.5},
    )
    (read,) = read_unlabelled(told, corpora, read_parts(told, corpora)).values()
    assert [str(one.text) for one in read] == texts, "a text of the test part is left out"
    seen: list[str] = []
    run(
        told,
        base=tiny,
        data=corpora,
        folder=tmp_path,
        log=lambda name, value, step: seen.append(name),
    )
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert [one["source"] for one in card["data"]][-1] == "more.jsonl"
    assert "unlabelled 0" not in card["heads"]
    assert set(card["heads"]) == {"drugs", "hosts"}


def test_a_run_begins_where_a_former_one_ended(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    one_step = {"lr": 1e-9, "head_lr": 1e-9, "epochs": 1, "batch_words": 4096}
    told = recipe(begin=str(teachers[0]), optimiser=one_step, serve=False)
    _, test = run(told, base=tiny, data=corpora, folder=tmp_path / "a")
    former = json.loads((teachers[0] / "scores.json").read_text())["test"]
    assert test["drugs"].f1.value == pytest.approx(former["drugs"]["value"], abs=0.01)
    with pytest.raises(InputError, match="no finished run"):
        run(recipe(begin=str(tmp_path)), base=tiny, data=corpora, folder=tmp_path / "b")


CELLS = ["['One.'\n 'Two \"x\".']", "A [tool](https://x.org/a) ran.(Citation: B (2020) c) Well."]


@pytest.mark.parametrize("kind", ["zip", "gz", "json", "csv"])
def test_plain_texts_are_read_from_tables(tmp_path: Path, kind: str) -> None:
    rows = [{"title": f"T{n}", "body": cell, "doc": n} for n, cell in enumerate(CELLS)]
    sheet = tmp_path / "t.csv"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    path = sheet
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "t.zip", "w") as packed:
            packed.write(sheet, "t.csv")
        path = tmp_path / "t.zip" / "t.csv"
    if kind == "gz":
        path = tmp_path / "t.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    if kind == "json":
        path = tmp_path / "t.json"
        path.write_text(json.dumps({str(one["doc"]): one for one in rows}))
    columns = {"text": "title, body", "group": "doc"}
    found = read_corpus(path, format="plain", because="made here", columns=columns)
    assert [str(one.text) for one in found] == ['T0\nOne. Two "x".', "T1\nA tool ran. Well."]
    assert [one.group for one in found] == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.jsonl", '{"body": "x"}', "no row has a column text"),
        ("b.json", "[1", "no table of texts"),
        ("c.jsonl.gz", "plain", "no table of texts"),
    ],
)
def test_what_is_no_table_is_named_without_its_text(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=why):
        read_corpus(tmp_path / name, format="plain", because="made here")


def test_only_some_heads_learn_and_all_else_stays(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(begin=str(teachers[0]), only_heads=["hosts"], serve=False)
    fitted, test = run(told, base=tiny, data=corpora, folder=tmp_path)
    before, after = (read_tensors(one / "best.safetensors") for one in (teachers[0], tmp_path))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"heads.hosts.weight", "heads.hosts.bias"}
    assert set(fitted.history[0]) == {"epoch", "mean", "hosts"}
    assert set(test) == {"drugs", "hosts"}, "what stays is scored too"
    with pytest.raises(ValueError, match="only_heads"):
        recipe(only_heads=["wards"])


def test_kept_states_are_the_encoders_own(tiny: Path, corpora: Path) -> None:
    told = recipe()
    train = tag_data(
        told, read_parts(told, corpora), "train", read_tokenizer(tiny / "tokenizer.json")
    )
    net = Network.of(told, tiny).eval()
    batches = list(train["drugs"].batches(size=512, seed=1))
    wanted = [net.states(*tensors(net, b.ids_BS, b.mask_BS, b.cases_BS)) for b in batches]
    net.freeze(["drugs"])
    for seed in (1, 1, 2):
        for batch in train["drugs"].batches(size=512, seed=seed):
            said = net.states(*tensors(net, batch.ids_BS, batch.mask_BS, batch.cases_BS))
            whole = torch.from_numpy(batch.mask_BS).bool()
            if seed == 1:
                here = next(
                    w
                    for w, b in zip(wanted, batches, strict=True)
                    if np.array_equal(b.ids_BS, batch.ids_BS)
                )
                assert torch.allclose(said[whole], here[whole], atol=0.02)
            assert not said[~whole].any()
