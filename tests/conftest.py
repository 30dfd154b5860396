"""What many tests share: real data when there is some, a small hospital, a private environment."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Processes side by side share the cores: with each on all of them, tiny models wait for threads.
if _beside := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)) - 1:
    _share = max(1, (os.cpu_count() or 1) // (_beside + 1))
    os.environ.setdefault("OMP_NUM_THREADS", str(_share))

# The gate must say the same twice: the same examples each run, no clock; `make fuzz` draws anew.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own AEGLE_ settings must not change what tests see."""
    for name in list(os.environ):
        if name.startswith("AEGLE_") and name not in ("AEGLE_DATA", "AEGLE_CACHE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def files_are_opened_once() -> Iterator[None]:
    """Graphs, tokenizers and lexicons stay in memory from one workspace of the tests to the next.

    None of them keeps any state; a file that was written anew is opened anew.
    """
    from aegle.facts.lexicon import Lexicon
    from aegle.lm import encoder, pairs, tagger, token_vectors

    def remembered(load: Callable[..., Any], size: int) -> Callable[..., Any]:
        @lru_cache(size)
        def known(path: Path, _changed: tuple[int, int], *how: Any) -> Any:
            return load(path, *how)

        def found(path: Path, *how: Any) -> Any:
            try:
                told = Path(path).stat()
            except OSError:
                return load(path, *how)
            return known(path, (told.st_mtime_ns, told.st_size), *how)

        return found

    with pytest.MonkeyPatch.context() as patched:
        once = remembered(encoder.open_session, 6)
        words = remembered(encoder.read_tokenizer, 12)
        for module in (encoder, pairs, tagger, token_vectors):
            patched.setattr(module, "open_session", once)
            patched.setattr(module, "read_tokenizer", words)
        patched.setattr(tagger.Tagger, "_read_lexical", _lexical_once(remembered))
        patched.setattr(Lexicon, "load", staticmethod(remembered(Lexicon.load, 12)))
        yield


def _lexical_once(remembered: Callable[..., Any]) -> Callable[..., Any]:
    """`Tagger._read_lexical`, whose result follows from the file and where the heads stand."""
    from aegle.lm.tagger import LEXICAL, Tagger

    plain = Tagger._read_lexical
    asking: list[Tagger] = []
    read = remembered(lambda path, *key: plain(asking[-1], path.parent, key[-1]), 4)

    def lexical(self: Tagger, folder: Path, width: int) -> Any:
        heads = [(n, self.columns[n].start, one.lexical) for n, one in self.heads.items()]
        asking.append(self)
        try:
            return read(folder / LEXICAL, tuple(heads), width)
        finally:
            asking.pop()

    return lexical


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data sets."""
    folder = os.environ.get("AEGLE_DATA")
    if not folder:
        pytest.skip("AEGLE_DATA is not set: it names the folder of the public data sets")
    return Path(folder)


def _once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that the first process of a run makes, and the others wait for."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with Path(f"{root}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = Path(f"{root}.done")
        if not done.exists():
            shutil.rmtree(root, ignore_errors=True)
            make(root)
            done.touch()
    return root


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample hospital at its smallest: 5 patients, 2 days. Nobody writes there."""
    from aegle.packs.sample import write_sample

    return _once(
        tmp_path_factory, "sample", lambda out: write_sample(out, patients=5, days=2, seed=3)
    )


@pytest.fixture(scope="session")
def _built(small_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sample read in, for this process; reading it takes most of a minute."""
    from aegle.flows import commands, workspace

    def build(root: Path) -> None:
        workspace.create(root)
        commands.run(root, "ingest", {"paths": [str(small_sample / "files")]})

    built = _once(tmp_path_factory, "hospital", build)
    root = tmp_path_factory.mktemp("workspaces") / "hospital"
    shutil.copytree(built, root, ignore=shutil.ignore_patterns("owner.sock"))
    return root


@pytest.fixture
def small_hospital(_built: Path, tmp_path: Path) -> Iterator[Path]:
    """A workspace with the small sample read in, a fresh copy for each test."""
    root = tmp_path / "small-hospital"
    shutil.copytree(_built, root, ignore=shutil.ignore_patterns("owner.sock"))
    yield root
    shutil.rmtree(root, ignore_errors=True)
