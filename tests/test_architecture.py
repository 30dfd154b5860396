"""The floors hold: imports go down, stages stay apart, files and functions stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "aegle"
FILES = sorted(ROOT.rglob("*.py"))
FLOORS = {
    "core": 0,
    "metrics": 1,
    "lm": 1,
    "sources": 2,
    "corpus": 2,
    "facts": 2,
    "graph": 2,
    "retrieve": 2,
    "answer": 2,
    "train": 2,
    "compress": 2,
    "evaluate": 2,
    "registry": 2,
    "packs": 2,
    "backends": 2,
    "testing": 2,
    "flows": 3,
    "cli": 4,
    "serve": 4,
    "console": 4,
    "__init__": 4,
    "__main__": 4,
}
READS_ENVIRONMENT = {
    "core/settings.py",
    "lm/catalog.py",
    "cli/options.py",
    "train/causal/parallel.py",  # tells Accelerate which process this is: it reads nothing else
    "flows/over_ray.py",  # tells Ray to report to nobody, before it is imported
    "backends/tracker_mlflow.py",  # tells MLflow to report to nobody, before it is imported
}
VOUCHES = {
    "core/text.py",  # cut: a part of safe text is safe
    "corpus/redact.py",  # the one place where text becomes safe
    "corpus/vault.py",  # surrogates
    "train/batches.py",  # joins safe texts
    # Annotated corpora: the recipe must say why their texts may be used, and the card repeats it.
    *(
        f"train/data/{name}.py"
        for name in ("beir", "bioc", "brat", "iob", "jsonl", "negex", "plain", "pubtator", "table")
    ),
    "train/data/identifiers.py",  # nobody's: made from lists
    "train/data/instructions/shape.py",  # templates of ours around safe texts
    "train/data/instructions/published.py",  # passages and answers of public sets
    "train/causal/corpus.py",  # likewise, for generators
    "train/data/support.py",  # claims and evidence of public sets
    "backends/corpus_sqlite.py",  # reads back what was safe when stored
    "backends/graph_rows.py",  # likewise
    "answer/rag.py",  # generated sentences, after verification against safe evidence
    "flows/knowledge.py",  # questions, after their identifiers were replaced
    "graph/build.py",  # names of concepts, and keys
}
"""Who may make SafeText; a new place is a decision, not a convenience."""


def part(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Dotted names that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """The modules of ours that a file names; of ``from package import module`` the module.

    That importing a module runs its package's ``__init__`` is no tie between the two: an
    ``__init__`` may show what its package's modules define, and those name each other.
    """
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= named & modules
            if named - modules:
                found.add(node.module)
    return found & modules


def own(name: str) -> str | None:
    """The part of Aegle that a dotted name belongs to."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "aegle" and len(pieces) > 1 else None


def test_every_part_has_a_floor() -> None:
    assert {part(path) for path in FILES} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    here = part(path)
    for name in imports(path):
        there = own(name)
        if there is None or there == here or there not in FLOORS:
            continue
        allowed = FLOORS[there] < FLOORS[here] or here == "__main__"
        assert allowed, f"{here} (floor {FLOORS[here]}) imports {name} (floor {FLOORS[there]})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= 50, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_prints_pickles_or_reads_the_environment(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    names = imports(path)
    assert not {"pickle", "dill", "cloudpickle", "shelve", "joblib"} & names
    heavy = any(name.split(".")[0] in ("torch", "transformers") for name in names)
    assert not heavy or place.startswith(("train/", "lm/decoder", "compress/causal/"))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "eval", "exec"), f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            assert place in READS_ENVIRONMENT, f"line {node.lineno} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_named_places_vouch_for_text(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            vouches = node.func.id == "SafeText"
            allowed = place in VOUCHES or place.startswith("testing/")
            assert not vouches or allowed, f"line {node.lineno} makes SafeText"


def test_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    modules = {module_of(path): path for path in FILES}
    for name, path in modules.items():
        graph[name] = imported_modules(path, set(modules)) - {name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"cycle: {' -> '.join([*trail, name])}"
        if name in done:
            return
        for after in sorted(graph[name]):
            visit(after, (*trail, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


def module_of(path: Path) -> str:
    pieces = ["aegle", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(pieces[:-1] if pieces[-1] == "__init__" else pieces)


def test_importing_aegle_is_light() -> None:
    """Neither the package nor the command line's help loads a model runtime, a pack or a store."""
    code = (
        "import sys, aegle; "
        "heavy = {'torch', 'onnxruntime', 'xllamacpp', 'ladybug', 'qdrant_edge', 'nicegui'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    helping = (
        "import sys; from aegle.cli import main; sys.argv = ['aegle', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
    )
    for before in ("", helping):
        run = subprocess.run(
            [sys.executable, "-c", before + code], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_has_a_line_in_the_map(path: Path) -> None:
    doc = ast.get_docstring(tree(path))
    assert doc, "no module docstring"
    assert len(doc.splitlines()[0]) <= 100


def test_test_files_have_names_of_their_own() -> None:
    names = sorted(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, after in pairwise(names) if name == after] == []
