"""Runs followed by MLflow: in an SQLite file, on a server, in Azure ML; whatever its URI names.

Only figures, settings and hashes go there; weights stay where they were written and are named by
reference. MLflow reports its use to its makers unless it is told not to before it is imported.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aegle.core.errors import AegleError, BackendError, NotFoundError, UsageError
from aegle.core.plugins import load

_LONGEST_PARAM: Final = 6000
_LONGEST_TAG: Final = 8000
_AT_ONCE: Final = 100
"""MLflow's bounds: characters of a param's and a tag's value, items of a batch."""

_STRANGE: Final = re.compile(r"[^\w\-. :/]")
"""What MLflow allows in no name."""


class MlflowTracker:
    """A `Tracker` on an MLflow store.

    Args:
        uri: ``sqlite:////folder/mlflow.db``, ``http://...``, ``azureml://...``.

    Raises:
        MissingExtraError: the extra ``track`` is not installed.
        BackendError: the store can't be opened.
    """

    def __init__(self, uri: str) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        # It tells of each table that it makes.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        client = load("mlflow.tracking:MlflowClient")
        # Importing mlflow sets its own level anew.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        with _told("open its store"):
            self._client: Any = client(tracking_uri=uri, registry_uri=uri)
        self._run = ""

    def start(
        self, experiment: str, *, params: Mapping[str, Any], tags: Mapping[str, str], run: str = ""
    ) -> str:
        """Begin a run, or go on with one; its id."""
        if self._run:
            raise UsageError("a tracker follows one run at a time; end the one before")
        with _told("begin a run"):
            if run:
                self._client.update_run(run, status="RUNNING")
            else:
                found = self._client.get_experiment_by_name(experiment)
                where = found.experiment_id if found else self._client.create_experiment(experiment)
                run = self._client.create_run(where, run_name=experiment).info.run_id
                self._log(run, "Param", "params", flat(params), _LONGEST_PARAM)
            self._log(run, "RunTag", "tags", list(tags.items()), _LONGEST_TAG)
        self._run = run
        return run

    def log(self, figures: Mapping[str, float], *, step: int) -> None:
        """Keep figures of the run at a step."""
        run, now = self._running(), int(time.time() * 1000)
        metric = load("mlflow.entities:Metric")
        kept = [metric(_name(name), float(value), now, step) for name, value in figures.items()]
        with _told("keep a figure"):
            for some in _parts(kept):
                self._client.log_batch(run, metrics=some)

    def end(self, *, failed: bool = False) -> None:
        """End the run."""
        run, self._run = self._running(), ""
        with _told("end a run"):
            self._client.set_terminated(run, status="FAILED" if failed else "FINISHED")

    def register(self, model: str, source: str, *, tags: Mapping[str, str]) -> str:
        """What the run made, as the next version of a model; that version."""
        run = self._running()
        with _told("register a model"):
            if not self._client.search_registered_models(f"name = '{_quoted(model)}'"):
                self._client.create_registered_model(model)
            made = self._client.create_model_version(model, source, run_id=run, tags=dict(tags))
        return str(made.version)

    def alias(self, model: str, alias: str, version: str) -> None:
        """Let a name stand for a version."""
        with _told("name a version"):
            self._client.set_registered_model_alias(model, alias, version)

    def source(self, model: str, alias: str) -> str:
        """Where the version with this alias lies."""
        with _told("find a version"):
            found = self._client.search_registered_models(f"name = '{_quoted(model)}'")
            aliases = found[0].aliases if found else {}
            if alias not in aliases:
                known = ", ".join(sorted(aliases)) or "none"
                raise NotFoundError(f"model {model!r} has no alias {alias!r}; there are: {known}")
            return str(self._client.get_model_version(model, str(aliases[alias])).source)

    def close(self) -> None:
        """Let go; a run that was not ended counts as failed."""
        if self._run:
            self.end(failed=True)

    def _running(self) -> str:
        if not self._run:
            raise UsageError("the tracker follows no run; start one")
        return self._run

    def _log(
        self, run: str, kind: str, where: str, items: Sequence[tuple[str, Any]], longest: int
    ) -> None:
        entity = load(f"mlflow.entities:{kind}")
        made = [entity(_name(name), str(value)[:longest]) for name, value in items]
        for some in _parts(made):
            self._client.log_batch(run, **{where: some})


def flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested tables as dotted names, lists of tables by number: ``corpora.0.task``."""
    if isinstance(tree, Mapping):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple) and any(isinstance(one, Mapping) for one in tree):
        pairs = [(str(number), value) for number, value in enumerate(tree)]
    else:
        return [(prefix, tree)]
    found = []
    for key, value in pairs:
        found += flat(value, f"{prefix}.{key}" if prefix else key)
    return found


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), _AT_ONCE):
        yield items[at : at + _AT_ONCE]


def _name(name: str) -> str:
    return _STRANGE.sub("_", name)


def _quoted(name: str) -> str:
    if "'" in name:
        raise UsageError(f"a model's name holds no quotation mark, got {name!r}")
    return name


@contextmanager
def _told(what: str) -> Iterator[None]:
    """MLflow passes on whatever its stores raise; here it becomes one error."""
    try:
        yield
    except AegleError:
        raise
    except Exception as error:
        raise BackendError(
            f"the tracker could not {what} ({type(error).__name__}); is its URI right and does its "
            "server run?"
        ) from error
