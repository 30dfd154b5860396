"""Settings: four layers, unknown keys with a suggestion, and a complete reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core.errors import SettingsError
from aegle.core.settings import load, rows


def test_each_layer_overrides_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "aegle.toml"
    file.write_text("[retrieve]\nk = 5\npool = 50\nhops = 1\n")
    found = load(
        file,
        environ={"AEGLE_RETRIEVE__POOL": "70", "AEGLE_RETRIEVE__HOPS": "3", "PATH": "/bin"},
        options={"retrieve.hops": "4"},
    )
    assert (found.retrieve.k, found.retrieve.pool, found.retrieve.hops) == (5, 70, 4)
    assert found.retrieve.rrf_k == 60


def test_an_unknown_key_suggests_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'retrieve\.kk'; did you mean 'retrieve\.k'\?"):
        load(environ={}, options={"retrieve.kk": 3})
    with pytest.raises(SettingsError, match=r"no setting 'retrive'"):
        load(environ={}, options={"retrive": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retrieve.k": "many"}, r"'retrieve\.k'.*got 'many'"),
        ({"retrieve.k": 0}, "greater than or equal to 1"),
        ({"seed.x": 1}, "'seed"),
        ({"observe.level": "loud"}, "debug"),
        ({"knowledge.thresholds.gene": 1.5}, "from 0 to 1, that of 'gene' is 1.5"),
        ({"knowledge.thresholds.gene": -0.1}, "from 0 to 1"),
        ({"knowledge.thresholds": {"gene": float("nan")}}, "from 0 to 1"),
    ],
)
def test_a_wrong_value_says_what_was_given(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(environ={}, options=options)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "aegle.toml"
    file.write_text("[retrieve\n")
    with pytest.raises(SettingsError, match=r"aegle\.toml is not TOML"):
        load(file, environ={})


def test_the_reserved_names_are_no_settings() -> None:
    environ = {"AEGLE_DATA": "/data", "AEGLE_CACHE": "/cache", "AEGLE_WORKSPACE": "w"}
    assert load(environ=environ) == load(environ={})


def test_every_setting_in_a_table_is_described() -> None:
    missing = [name for name, _, _, about in rows() if "." in name and not about]
    allowed = {"backends", "serve", "observe"}
    assert not [name for name in missing if name.split(".")[0] not in allowed]
