"""Rounds over Flower: a SuperLink, a SuperNode for each site, real processes and messages.

Each round is a Flower run of its own, so that a federation can be stopped and gone on with between
any two; `server` and `client` are what Flower starts for it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from aegle.core import plugins
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import BackendError
from aegle.flows.federated import Ask, Reply, Transport, respond

_ASK: Final = "ask.json"
_DONE: Final = "done.json"
_WEIGHTS: Final = "weights.safetensors"
_START_S: Final = 60.0
_PATHS: Final = "/usr/local/bin:/usr/bin:/bin"
_APP: Final = """\
[project]
name = "aegle-federated"
version = "1.0.0"
description = "Adapters of aegle federate"
license = "Apache-2.0"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "aegle"

[tool.flwr.app.components]
serverapp = "shared.parts:server"
clientapp = "shared.parts:client"

[tool.flwr.app.config]
folder = ""
sites = 1
timeout = 3600.0
"""
_PARTS: Final = """\
from aegle.flows.flower import make_client, make_server

client = make_client()
server = make_server()
"""


def make_client() -> Any:
    """Flower's ClientApp: a site's round. Its node says ``site``, ``data`` and ``work``."""
    app = plugins.load("flwr.clientapp:ClientApp")()
    kinds = plugins.load("flwr.app:RecordDict"), plugins.load("flwr.app:ConfigRecord")

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Any, context: Any) -> Any:
        told, node = message.content["round"], context.node_config
        where = {"data": Path(node["data"]), "work": Path(node["work"])}
        reply = respond(Ask(**json.loads(told["ask"])), told["weights"], site=node["site"], **where)
        about = {"site": reply.site, "error": reply.error, "about": json.dumps(reply.about)}
        content = kinds[0]({"reply": kinds[1]({**about, "weights": reply.weights})})
        return plugins.load("flwr.app:Message")(content, reply_to=message)

    return app


def make_server() -> Any:
    """Flower's ServerApp: one round to all sites, from a folder and back into it."""
    app = plugins.load("flwr.serverapp:ServerApp")()

    @app.main()  # type: ignore[untyped-decorator]
    def main(grid: Any, context: Any) -> None:
        told = context.run_config
        folder = Path(told["folder"])
        found = _exchange(grid, folder, int(told["sites"]), float(told["timeout"]))
        for number, one in enumerate(found):
            (folder / f"{number}.safetensors").write_bytes(one.pop("weights"))
        write_json(folder / _DONE, found)

    return app


def _exchange(grid: Any, folder: Path, sites: int, timeout_s: float) -> list[dict[str, Any]]:
    record, config = plugins.load("flwr.app:RecordDict"), plugins.load("flwr.app:ConfigRecord")
    message = plugins.load("flwr.app:Message")
    until = time.monotonic() + min(_START_S, timeout_s)
    while len(nodes := list(grid.get_node_ids())) < sites and time.monotonic() < until:
        time.sleep(0.5)
    told = {"ask": (folder / _ASK).read_text(), "weights": (folder / _WEIGHTS).read_bytes()}
    asked = [message(record({"round": config(told)}), node, "train") for node in nodes]
    found = []
    for reply in grid.send_and_receive(asked, timeout=timeout_s):
        if reply.has_content():
            got = reply.content["reply"]
            found.append({**got, "about": json.loads(got["about"])})
    return found


@contextmanager
def loopback(sites: Mapping[str, Path], work: Path, *, timeout_s: float) -> Iterator[Transport]:
    """A SuperLink and a SuperNode for each site on this machine, on 127.0.0.1 and without TLS.

    Args:
        sites: pseudonym -> folder of its data.
        work: where each has a folder of its own, and logs lie.
        timeout_s: a site that takes longer in a round is left out of it.

    Raises:
        BackendError: Flower's programs can't be found or don't start.
        MissingExtraError: the extra ``federated`` is not installed.
    """
    plugins.load("flwr:__version__")
    home = (work / "flower").absolute()
    home.mkdir(parents=True, exist_ok=True)
    ports = _free(1 + len(sites))
    link = f"127.0.0.1:{ports[0]}"
    with ExitStack() as running:
        told = ["--insecure", "--host", "127.0.0.1", "--port", str(ports[0])]
        told.append("--disable-runtime-dependency-installation")
        running.enter_context(_started(home, "flower-superlink", told))
        _wait(ports[0], home)
        for (name, data), port in zip(sites.items(), ports[1:], strict=True):
            node = {"site": name, "data": str(data.absolute())}
            node["work"] = str((work / name).absolute())
            said = " ".join(f"{key}={json.dumps(value)}" for key, value in node.items())
            told = ["--insecure", "--superlink", link, "--port", str(port), "--node-config", said]
            running.enter_context(_started(home, "flower-supernode", told, log=name))
        yield over(link, home, sites=len(sites), timeout_s=timeout_s)


def joined(
    superlink: str, work: Path, *, sites: int, timeout_s: float, certificates: Path | None = None
) -> Transport:
    """Rounds over a SuperLink that somebody else started on this machine.

    Args:
        superlink: ``host:port``; its SuperNodes say ``site``, ``data`` and ``work``.
        work: a folder for Flower's files and logs.
        sites, timeout_s, certificates: as of `over`.
    """
    home = (work / "flower").absolute()
    home.mkdir(parents=True, exist_ok=True)
    return over(superlink, home, sites=sites, timeout_s=timeout_s, certificates=certificates)


def over(
    superlink: str, home: Path, *, sites: int, timeout_s: float, certificates: Path | None = None
) -> Transport:
    """Rounds over a SuperLink that runs already; it runs on this machine, whose files it reads.

    Args:
        superlink: ``host:port``.
        home: a folder for Flower's own files.
        sites: that are waited for, a minute at most; who comes later is in the next round.
        timeout_s: a site that takes longer in a round is left out of it.
        certificates: PEM of who signed the SuperLink's; None: without TLS.
    """
    shutil.rmtree(home / "app", ignore_errors=True)
    (home / "app" / "shared").mkdir(parents=True)
    (home / "app" / "pyproject.toml").write_text(_APP)
    (home / "app" / "shared" / "__init__.py").touch()
    (home / "app" / "shared" / "parts.py").write_text(_PARTS)
    link = f'[superlink]\ndefault = "it"\n[superlink.it]\naddress = {json.dumps(superlink)}\n'
    link += "insecure = true\n"
    if certificates:
        link = link.replace("insecure = true", "insecure = false")
        link += f"root-certificates = {json.dumps(str(certificates.absolute()))}\n"
    (home / "config.toml").write_text(link)

    def carry(ask: Ask, weights: Path) -> list[Reply]:
        folder = home / "exchange"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copyfile(weights, folder / _WEIGHTS)
        write_json(folder / _ASK, asdict(ask))
        told = f"folder={json.dumps(str(folder))} sites={sites} timeout={timeout_s:.1f}"
        command = ["run", str(home / "app"), "it", "--run-config", told, "--stream"]
        with (home / "runs.log").open("ab") as log:
            end = timeout_s + 3 * _START_S
            try:
                subprocess.run(  # noqa: S603 - our own words
                    [*_environment(home), _program("flwr"), *command],
                    stdout=log, stderr=log, timeout=end, check=False, start_new_session=True,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise BackendError(
                    f"the round did not end in {end:.0f} s; {home / 'runs.log'} says why, --resume "
                    "asks again"
                ) from error
        return _replies(folder, home)

    return carry


def _replies(folder: Path, home: Path) -> list[Reply]:
    if not (folder / _DONE).is_file():
        raise BackendError(
            f"Flower ended the round without an answer; {home / 'runs.log'} says why, --resume "
            "asks again"
        )
    rows = read_json(folder / _DONE)
    return [
        Reply(one["site"], (folder / f"{at}.safetensors").read_bytes(), one["about"], one["error"])
        for at, one in enumerate(rows)
    ]


@contextmanager
def _started(home: Path, program: str, told: Sequence[str], log: str = "") -> Iterator[None]:
    with (home / f"{log or program}.log").open("ab") as file:
        command = [*_environment(home), _program(program), *told]
        process = subprocess.Popen(  # noqa: S603 - our own words
            command,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C in a terminal is for this process alone
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(home: Path) -> list[str]:
    """Flower's own folder, its programs found, nothing told to its makers."""
    programs = Path(sys.executable).parent
    told = {"FLWR_HOME": home, "FLWR_TELEMETRY_ENABLED": 0, "FLWR_DISABLE_UPDATE_CHECK": 1}
    told["PATH"] = f"{programs}:{_PATHS}"
    return ["/usr/bin/env", *(f"{name}={value}" for name, value in told.items())]


def _program(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise BackendError(f"{path} isn't there; install the extra: pip install 'aegle[federated]'")
    return str(path)


def _free(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as held:
        found = []
        for _ in range(count):
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found.append(int(one.getsockname()[1]))
        return found


def _wait(port: int, home: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise BackendError(f"Flower's SuperLink did not start; {home} holds its log")
