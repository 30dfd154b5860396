"""De-identification is counted by entities, and a find of what is no identifier is no hit."""

from __future__ import annotations

import deid_score
from aegle.core.pack import Found

TEXT = "Ann Lee, 92, of Acme in Rome met Bob Roy"
SPANS = [(0, 7, "PERSON"), (9, 11, "AGE"), (16, 20, "ORGANIZATION"), (24, 28, "GPE"),
         (33, 40, "PERSON")]  # fmt: skip


def shown(*finds: tuple[int, int, str]) -> dict[str, dict[str, list[float]]]:
    spans = [{"start_position": a, "end_position": b, "entity_type": c} for a, b, c in SPANS]
    row = {"full_text": TEXT, "template_id": 1, "spans": spans}
    found = [Found(start, end, kind, 1.0) for start, end, kind in finds]
    return deid_score.figures(deid_score.judge([row], [found]))


def first(figure: dict[str, list[float]], *names: str) -> list[float]:
    return [figure[name][0] for name in names]


def test_an_entity_with_a_letter_left_is_missed() -> None:
    told = shown((0, 6, "name"), (33, 40, "name"))["all"]
    assert first(told, "recall", "recall_letters") == [0.5, 0.9167]
    # The blank between two names may stay.
    assert shown((0, 3, "name"), (4, 7, "name"))["all"]["recall"][0] == 0.5


def test_a_find_that_touches_only_what_is_no_identifier_is_right_leniently_only() -> None:
    told = shown((0, 7, "name"), (16, 20, "name"), (24, 28, "place"), (29, 32, "name"))
    assert first(told["all"], "precision", "precision_strict") == [0.75, 0.25]
    assert first(told["everything"], "precision", "precision_strict") == [0.75, 0.5]
    assert first(told["name"], "precision", "precision_strict") == [0.6667, 0.3333]


def test_a_find_of_another_class_is_right_for_all_and_wrong_for_its_own() -> None:
    told = shown((0, 7, "place"))
    assert told["all"]["precision_strict"][0] == 1
    assert told["place"]["precision_strict"][0] == 0


def test_ages_over_89_are_a_class_and_a_group_of_people_is_not_counted() -> None:
    assert shown((9, 11, "age"))["date"]["precision_strict"][0] == 1
    assert deid_score.class_of("AGE", "aged 64") == ""
    assert "precision_strict" not in shown((16, 20, "group"))["all"]


def test_of_dates_bare_years_and_times_of_day_do_not_count() -> None:
    kinds = dict(deid_score.marked("Monday 14:30", [(0, 12, "DATE_TIME")]))
    assert kinds.keys() == {"everything"}
    kinds = dict(deid_score.marked("5 May 2020 14:30", [(0, 16, "DATE_TIME")]))
    assert len(kinds["all"]) == 8
