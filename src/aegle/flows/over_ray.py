"""A function in the workers of a Ray cluster, by Ray Train; all end when one fails."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aegle.core import plugins
from aegle.core.errors import BackendError
from aegle.flows.apart import LOOK_S, again, call
from aegle.flows.together import One, Processes

_SETTLE_S: Final = 3.0
"""For what workers told last to arrive once Ray says that they have ended."""


_END_S: Final = 30.0
"""For Ray Train to close its books before the cluster is left."""


class Board:
    """Where workers tell how they get on, and read whether to stop; an actor of Ray."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Any]] = []
        self.ends = False

    def tell(self, rank: int, what: Any) -> None:
        """A worker tells."""
        self.told.append((rank, what))

    def take(self, stop: bool) -> list[tuple[int, Any]]:
        """What was told since; whether they are to stop."""
        self.ends = self.ends or stop
        told, self.told = self.told, []
        return told

    def stops(self) -> bool:
        """A worker asks."""
        return self.ends


class _Line:
    """A worker's end of the board, as `aegle.flows.apart.call` takes a pipe."""

    def __init__(self, ray: Any, board: Any, rank: int) -> None:
        self.ray, self.board, self.rank = ray, board, rank

    def send(self, what: Any) -> None:
        self.ray.get(self.board.tell.remote(self.rank, what))

    def poll(self) -> bool:
        return bool(self.ray.get(self.board.stops.remote()))

    def recv(self) -> str:
        return "stop"


def over_ray(
    target: str,
    given: Mapping[str, Any],
    count: int,
    *,
    gpus: bool = False,
    tell: Callable[[str, tuple[Any, ...]], None] = lambda kind, told: None,
    stop: Callable[[], bool] = lambda: False,
    gone: str = "",
) -> list[Any]:
    """Call ``module:name`` in workers of the cluster that ``RAY_ADDRESS`` names, else of one here.

    Args:
        target: the function; beside ``given`` it takes ``place``, ``progress``, ``figures`` and
            ``stop``. Torch's process group is there.
        given: its arguments, the same for all.
        count: of workers.
        gpus: whether each has one.
        tell, stop, gone: as for `aegle.flows.together.together`.

    Returns:
        What each returned, by rank.

    Raises:
        AegleError: what made the first of them fail.
        BackendError: a worker was killed, or Ray has no room for them.
        MissingExtraError: the extra ``ray`` is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report to its makers
    plugins.load("ray:init")  # what is missing is told as an extra
    ray = plugins.load("importlib:import_module")("ray")
    started = not ray.is_initialized()
    if started:
        told: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": count}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **told)
    every = Processes([One(rank, None, None) for rank in range(count)], gone)
    try:
        board = ray.remote(num_cpus=0)(Board).remote()
        ended = _fit(board, target, given, count, gpus)
        _follow(ray, board, every, ended, tell, stop)
        ended.join(0 if every.cause() else _END_S)
    finally:
        if started:
            ray.shutdown()
    if error := every.cause():
        raise error
    return [one.result for one in every.ones]


def _fit(board: Any, target: str, given: Mapping[str, Any], count: int, gpus: bool) -> Any:
    """Ray Train on its way in a thread, which is returned; its error is its ``error``."""
    trainer_of = plugins.load("ray.train.torch:TorchTrainer")
    torch_config = plugins.load("ray.train.torch:TorchConfig")
    scaling, run = plugins.load("ray.train:ScalingConfig"), plugins.load("ray.train:RunConfig")

    class _Fit(threading.Thread):
        error: Exception | None = None

        def run(self) -> None:
            try:
                with tempfile.TemporaryDirectory(prefix="aegle-ray-") as folder:
                    trainer_of(
                        work,
                        train_loop_config={"board": board, "target": target, "given": dict(given)},
                        scaling_config=scaling(num_workers=count, use_gpu=gpus),
                        torch_config=torch_config(backend="nccl" if gpus else "gloo"),
                        run_config=run(storage_path=folder),
                    ).fit()
            except Exception as error:
                self.error = error

    found = _Fit(daemon=True)
    found.start()
    return found


def work(config: dict[str, Any]) -> None:
    """In a worker: call, and tell the board."""
    ray = plugins.load("importlib:import_module")("ray")
    context = plugins.load("ray.train:get_context")()
    place = {
        "rank": context.get_world_rank(),
        "world": context.get_world_size(),
        "local": context.get_local_rank(),
        "near": context.get_local_world_size(),
        "meet": "env://",
    }
    line = _Line(ray, config["board"], place["rank"])
    call(line, config["target"], {**config["given"], "place": place})


def _follow(
    ray: Any,
    board: Any,
    every: Processes,
    ended: Any,
    tell: Callable[[str, tuple[Any, ...]], None],
    stop: Callable[[], bool],
) -> None:
    until = float("inf")
    while not every.over():
        for rank, (kind, told) in ray.get(board.take.remote(stop())):
            one = every.ones[rank]
            if kind == "done":
                one.done, one.result = True, told
            elif kind == "failed":
                every.fail(one, again(*told))
            else:
                tell(kind, told)
        if not ended.is_alive():
            until = min(until, time.monotonic() + _SETTLE_S)
        if time.monotonic() > until:
            break
        time.sleep(LOOK_S)
    for one in every.ones:
        if not one.done and not every.cause():
            kind = type(ended.error).__name__ if ended.error else "no error"
            every.fail(
                one,
                BackendError(
                    f"worker {one.number} of {len(every.ones)} ended before its time (Ray says "
                    f"{kind}); the last checkpoint is kept: go on with --resume"
                ),
            )
