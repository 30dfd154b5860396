"""Training data in BEIR's layout: which passages answer, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.train.data.beir import read, rights

sys.path.insert(0, str(Path(__file__).parent))
from asked import write

HEAD = "query-id\tcorpus-id\tscore\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("beir"))


def answers(source: Path, rows: str) -> dict[str, set[int]]:
    (source / "qrels/train.tsv").write_text(rows)
    return {str(one.text): set(one.gold) for one in read(source).asked["train"]}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(-2, 3) | st.floats(-2, 3), min_size=1, max_size=6))
def test_a_passage_answers_where_its_grade_is_above_0(source: Path, grades: list[float]) -> None:
    rows = "".join(f"q0\tp{n}\t{grade}\n" for n, grade in enumerate(grades))
    wanted = {n for n, grade in enumerate(grades) if grade > 0}
    for head in (HEAD, ""):
        assert set().union(*answers(source, head + rows).values()) == wanted


@pytest.mark.parametrize("row", ["q0\tp1\tyes", "q0\tp1\t", "q0\tp1\tnan", "q0\tp1", "q0 p1 1"])
def test_a_grade_that_is_none_is_refused_by_its_line(source: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"train\.tsv, line 3: .*\(a number") as told:
        answers(source, f"{HEAD}q0\tp0\t1\n{row}\n")
    assert "yes" not in str(told.value)


def test_a_first_line_that_names_a_question_is_no_head(source: Path) -> None:
    with pytest.raises(InputError, match="line 1"):
        answers(source, "q0\tp0\thigh\nq1\tp1\t1\n")
    assert len(answers(source, f"{HEAD}q0\tp0\t1\n\nq9999\tp1\t1\n")) == 1


def test_what_a_card_says_is_kept(source: Path, tmp_path: Path) -> None:
    answers(source, f"{HEAD}q0\tp0\t1\n")
    data = read(source)
    assert rights(source) == {"licence": "ours", "safe_because": "made for a test"}
    assert (data.licence, data.safe_because) == ("ours", "made for a test")
    (tmp_path / "card.json").write_text('{"licence": "x", "safe_because": " "}')
    with pytest.raises(InputError, match="safe_because"):
        rights(tmp_path)
