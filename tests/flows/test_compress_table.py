"""The table of methods: every line can be loaded, names are found."""

from __future__ import annotations

from typing import Any

import pytest

from aegle.core.errors import UsageError
from aegle.core.plugins import load
from aegle.flows import compress_table as table


@pytest.mark.parametrize("one", table.METHODS, ids=lambda one: one.name)
def test_every_line_of_the_table_names_a_function(one: table.Known) -> None:
    made: Any = load(one.target)
    assert made.__doc__
    assert one.about
    assert one.ladder


def test_methods_are_found_by_name() -> None:
    auto = [one.name for one in table.methods("encoder")]
    assert "int8" in auto
    assert "sparse" not in auto
    assert [one.name for one in table.methods("pair", ["sparse", "int4"])] == ["sparse", "int4"]
    with pytest.raises(UsageError, match="did you mean 'int8'"):
        table.methods("tagger", ["int9"])
