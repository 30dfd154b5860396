"""Plugins load when named, list what there is, and name the extra that is missing."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from aegle.core import plugins
from aegle.core.errors import AegleError, MissingExtraError, NotFoundError


def test_every_built_in_name_leads_to_something() -> None:
    for port, table in plugins.BUILT_IN.items():
        for name in table:
            assert plugins.find(port, name) is not None, (port, name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'ladybug'"):
        plugins.find("graph", "ladybird")
    with pytest.raises(NotFoundError, match="healthcare"):
        plugins.find("packs", "astrology")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingExtraError, match=r"aegle\[documents\]"):
        plugins.load("docx:Document")


def test_an_installed_package_adds_names_and_replaces_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = "aegle.core.errors:AegleError"
    points = tuple(EntryPoint(name, stranger, "aegle.graph") for name in ("ladybug", "other"))
    monkeypatch.setattr(plugins, "_installed", lambda port: points if port == "graph" else ())
    assert plugins.find("graph", "ladybug").__name__ == "LadybugGraph"
    assert plugins.find("graph", "other") is AegleError
    assert plugins.names("graph") == ["ladybug", "other"]
