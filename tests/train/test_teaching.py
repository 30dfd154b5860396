"""What teachers think is learned of words, mentions and pairs, and of texts without labels."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.core.errors import InputError, StoppedError  # noqa: E402
from aegle.lm.encoder import read_tokenizer  # noqa: E402
from aegle.train.checkpoint import read_tensors  # noqa: E402
from aegle.train.data.formats import read_corpus  # noqa: E402
from aegle.train.former import begin  # noqa: E402
from aegle.train.loss import Criterion  # noqa: E402
from aegle.train.network import Network  # noqa: E402
from aegle.train.parts import read_parts, read_unlabelled, tag_data  # noqa: E402
from aegle.train.predict import word_logits, word_starts  # noqa: E402
from aegle.train.recipe import Recipe  # noqa: E402
from aegle.train.run import run  # noqa: E402
from aegle.train.teach import Teacher, _by_key  # noqa: E402


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
    document = " ".join(str(one.text) for one in held_out if one.group == held_out[0].group)
    around = " ".join(f"word{n}" for n in range(80))
    rows = [{"body": text} for text in [*texts, document, f"{around} {document} {around}"]]
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


def test_a_run_is_not_scored_on_what_a_former_one_learned(
    tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    words = [f"{a}{b}" for a in "abcde" for b in "abcde"]
    rng = np.random.default_rng(0)
    lines = []
    for number in range(40):
        chosen = " O\n".join(rng.choice(words, 9))
        lines += [f"-DOCSTART- O\n\n{chosen} O\nxa{number} B-Drug\n"]
    (tmp_path / "one.txt").write_text("\n".join(lines))
    corpus = {
        "task": "drugs",
        "train": "one.txt",
        "names": {"Drug": "Drug"},
        "licence": "made",
        "safe_because": "made",
    }
    told = {"tasks": {"drugs": {"labels": ["Drug"]}}, "corpora": [corpus], "serve": False}
    first = tmp_path / "first"
    run(recipe(**told), base=tiny, data=tmp_path, folder=first)
    same = recipe(**told, begin=str(first), optimiser={"epochs": 1})
    run(same, base=tiny, data=tmp_path, folder=tmp_path / "second")
    for more in ({"begin": str(first)}, {"distillation": {"teacher": str(tmp_path / "second")}}):
        with pytest.raises(InputError, match="texts that are dev or test here"):
            run(recipe(**told, **more, seed=3), base=tiny, data=tmp_path, folder=tmp_path / "third")


def test_only_a_finished_run_of_the_same_encoder_is_begun_with(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"
    with pytest.raises(StoppedError):
        run(recipe(), base=tiny, data=corpora, folder=stopped, stop=lambda: True)
    net = Network.of(recipe(), tiny)
    for other, why in (
        (recipe(begin=str(stopped)), "no finished run"),
        (recipe(begin=str(teachers[0]), base="path:/other"), "trained from 'minilm'"),
        (recipe(begin=str(teachers[0]), cases=False), "with cases True"),
    ):
        with pytest.raises(InputError, match=why):
            begin(net, other, Path(other.begin))


def test_heads_of_the_same_labels_are_taken_whatever_they_weigh(
    teachers: tuple[Path, Path], tiny: Path
) -> None:
    tasks = {"drugs": {"labels": ["Drug"], "weight": 2.0}, "hosts": {"labels": ["Host", "Ward"]}}
    told = recipe(tasks=tasks, begin=str(teachers[0]))
    torch.manual_seed(1)
    net = Network.of(told, tiny)
    fresh = net.heads["hosts"].weight.clone()
    begin(net, told, teachers[0])
    weights = read_tensors(teachers[0] / "best.safetensors")
    assert torch.equal(net.heads["drugs"].weight, weights["heads.drugs.weight"])
    assert torch.equal(net.heads["hosts"].weight, fresh)


def test_opinions_are_asked_anew_of_other_weights_and_for_other_words(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(distillation={"teacher": str(tmp_path / "t")})
    shutil.copytree(teachers[0], tmp_path / "t")
    cache = tmp_path / "cache"
    cache.mkdir()
    train = tag_data(
        told, read_parts(told, corpora), "train", read_tokenizer(tiny / "tokenizer.json")
    )
    for count, best in ((1, None), (1, None), (2, teachers[1])):
        if best:
            shutil.copyfile(best / "best.safetensors", tmp_path / "t" / "best.safetensors")
        Teacher([tmp_path / "t"], told, train, cache=cache, device="cpu")
        assert len(list(cache.glob("*"))) == count * len(train)


def test_a_mention_in_several_windows_has_one_opinion_the_mean() -> None:
    rows = [np.array(row, np.float32) for row in ([2.0, 0.0], [0.0, 1.0], [3.0, 3.0])]
    told = [(4, 7, 0, rows[0]), (1, 2, 0, rows[2]), (4, 7, 0, rows[1])]
    keys, logs = _by_key(told, 2)
    first, second = (torch.log_softmax(torch.from_numpy(row), 0) for row in rows[:2])
    assert keys.tolist() == [(1 << 40) + 2, (4 << 40) + 7]
    assert torch.allclose(logs[1].float(), (first + second) / 2, atol=1e-3)
    none, empty = _by_key([], 3)
    assert len(none) == 0 and empty.shape == (0, 3)


def test_a_head_that_nobody_teaches_learns_its_labels_in_full(
    teachers: tuple[Path, Path], tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(
        distillation={"teacher": str(teachers[0]), "heads": ["hosts"], "weight": 1.0},
        optimiser={"lr": 3e-3, "head_lr": 1e-2, "epochs": 6, "batch_words": 512},
        serve=False,
    )
    _, test = run(told, base=tiny, data=corpora, folder=tmp_path)
    assert test["drugs"].f1.value > 0.9
    with pytest.raises(ValueError, match="there is no task drgus"):
        recipe(distillation={"teacher": "t", "heads": ["drgus"]})


HOSTILE = [
    "['Mr Secret Name\nhas HIV'",
    "['Fever' as told by wife] Patient has sepsis and 'AKI'.",
    "['a\nb' \"c\"]",
    '["\\ud83d\\ude00", "a/b"]',
]


def test_what_only_looks_like_a_list_is_read_as_it_stands(tmp_path: Path) -> None:
    rows = [
        {"text": one, "group": group}
        for one, group in zip(HOSTILE, (None, "", "a", 1), strict=True)
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    columns = {"text": "text", "group": "group"}
    found = read_corpus(tmp_path / "t.json", format="plain", because="made", columns=columns)
    assert [str(one.text) for one in found] == [*HOSTILE[:2], "a\nb c", "\U0001f600 a/b"]
    assert [one.group for one in found] == ["row 1", "row 2", "a", "1"]


@pytest.mark.parametrize("rows", [["text", "more"], {"data": [{"text": "x"}]}, 7])
def test_rows_that_name_no_columns_are_refused(tmp_path: Path, rows: object) -> None:
    (tmp_path / "t.json").write_text(json.dumps(rows))
    with pytest.raises(InputError):
        read_corpus(tmp_path / "t.json", format="plain", because="made")


def test_only_an_archive_has_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as packed:
        packed.writestr("sub/t.jsonl", '{"text": "a note"}')
    (one,) = read_corpus(tmp_path / "t.zip" / "sub" / "t.jsonl", format="plain", because="made")
    assert str(one.text) == "a note"
    (tmp_path / "x.csv").write_text("text\na\n")
    for path, form in ((tmp_path / "x.csv" / "oops", "plain"), (tmp_path / "t.zip" / "a", "iob")):
        with pytest.raises(InputError, match="no such corpus"):
            read_corpus(path, format=form, because="made")
