"""Write docs/reference/: the command line, the settings and the readers, from the code itself.

``--check`` writes nothing and fails when a page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import typer.main
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core import plugins, settings

DOCS = Path(__file__).parent.parent / "docs" / "reference"


def help_of(*words: str) -> str:
    """The help text of a command, 100 columns wide, as anyone sees it."""
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="aegle", env={"COLUMNS": "100", "NO_COLOR": "1"}
    )
    return "\n".join(line.rstrip() for line in result.output.splitlines()).strip()


def command_names() -> list[tuple[str, ...]]:
    """Every command by its words, in the order in which --help lists them."""
    found: list[tuple[str, ...]] = []
    for name, one in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        found += [(name,), *((name, inner) for inner in getattr(one, "commands", ()))]
    return found


def cli() -> str:
    """The page of the command line."""
    parts = ["# Command line", "", "Made by `scripts/reference.py`.", ""]
    for words in ((), *command_names()):
        title = " ".join(("aegle", *words))
        parts += [f"## {title}", "", "```text", help_of(*words), "```", ""]
    return "\n".join(parts)


def settings_page() -> str:
    """The page of the settings."""
    parts = [
        "# Settings",
        "",
        "Made by `scripts/reference.py`. In `aegle.toml` a dot is a table; in the environment",
        "`AEGLE_RETRIEVE__K=20` sets `retrieve.k`; on the command line `--set retrieve.k=20` does.",
        "",
        "| setting | type | default | what it does |",
        "|---|---|---|---|",
    ]
    for name, kind, default, about in settings.rows():
        shown = kind.replace("|", "\\|")
        parts.append(f"| `{name}` | {shown} | `{default}` | {about} |")
    return "\n".join([*parts, ""])


def readers() -> str:
    """The page of the readers: what can be ingested."""
    parts = [
        "# Readers",
        "",
        "Made by `scripts/reference.py`: every format that `ingest` reads.",
        "",
    ]
    for pack_name in plugins.BUILT_IN["packs"]:
        pack = plugins.find("packs", pack_name)
        parts += [f"## {pack.title}", "", "| reader | what it reads |", "|---|---|"]
        for name, target in pack.readers.items():
            doc = (plugins.load(target).__doc__ or "").strip().splitlines()[0]
            parts.append(f"| `{name}` | {doc} |")
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in (("cli", cli()), ("settings", settings_page()), ("readers", readers())):
        path = DOCS / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != page:
            stale.append(path.name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(page, "utf-8")
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run: make format")


if __name__ == "__main__":
    main()
