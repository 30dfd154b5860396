"""Names asked for over HTTP come back in no metric, log line or error body."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from aegle.core import observe
from aegle.serve.log import to_events

NAME = "Quorbina Zelphirant"
MRN = "77003312"
WORDS = ("quorbina", "zelphirant", MRN)


@dataclass
class Server:
    """A running server, what it answered, and where its log goes."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"} if data else {}
        request = urllib.request.Request(self.url + path, data, {**kind, **headers})
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return int(reply.status), reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def server(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("canary")
    root = folder / "w"
    shutil.copytree(_built, root)
    note = folder / "note.txt"
    note.write_text(f"Patient: {NAME}   MRN: {MRN}\n\nHPI: {NAME} takes warfarin 5 mg daily.\n")
    aegle = [sys.executable, "-m", "aegle"]
    subprocess.run([*aegle, "ingest", str(note), "-w", str(root)], check=True, capture_output=True)
    log = folder / "stderr.txt"
    command = [*aegle, "serve", "-w", str(root), "--port", "0", "--set", "observe.level=debug"]
    with log.open("w") as err:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    one = Server(next(w for w in line.split() if w.startswith("http")), process, log)
    for _ in range(300):
        try:
            if one.get("readyz")[0] == 200:
                break
        except OSError:
            pass
        time.sleep(0.2)
    yield one
    process.terminate()
    process.wait(timeout=60)
    process.stdout.close()


def told(text: str) -> list[str]:
    return [word for word in WORDS if word in text.casefold()]


def test_a_name_is_understood_and_not_repeated(server: Server) -> None:
    for question in (f"What does {NAME} take?", f"What does MRN {MRN} take?"):
        status, body = server.get("v1/ask", {"question": question})
        assert status == 200
        assert "warfarin" in json.loads(body)["answer"], "the canary must be in the workspace"
        assert told(body) == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"v1/documents/{quote(NAME)}", None, 404),
        (f"v1/graph?entity=x{MRN}y", None, 404),
        (f"v1/{quote(NAME)}", None, 404),
        (f"v1/ask/{MRN}", None, 404),
        (quote(NAME), None, 404),
        (f"graph/{quote(NAME)}?q={MRN}", None, 404),
        (f"_nicegui/{quote(NAME)}", None, 404),
        ("v1/ask", {"question": f"{NAME} " * 200}, 422),
        ("v1/ask", {"question": "x", NAME: MRN}, 422),
        ("v1/ask", {"question": [NAME]}, 422),
        ("v1/ask", {"question": NAME, "k": NAME}, 422),
        ("v1/search", {"question": NAME, "mode": NAME}, 422),
        ("v1/extract", {"text": NAME, "domain": NAME}, 422),
        (f"v1/graph?entity={quote(NAME)}&hops={quote(NAME)}", None, 422),
        ("v1/ask", f"{NAME}", 422),
    ],
)
def test_an_error_does_not_repeat_what_was_asked(
    server: Server, path: str, body: object, status: int
) -> None:
    found, text = server.get(path, body)
    assert found == status
    assert told(text) == []


def test_a_foreign_host_name_is_not_repeated(server: Server) -> None:
    status, text = server.get("healthz", host="quorbina.example")
    assert status == 400
    assert told(text) == []


def test_metrics_and_log_hold_no_name(server: Server) -> None:
    """After the requests of the tests above, which all named the patient."""
    server.get("v1/ask", {"question": f"What does {NAME} take?"})
    server.get(f"v1/documents/{quote(NAME)}")
    for path in (quote(NAME), f"graph/{quote(NAME)}?q={MRN}", f"_nicegui/{quote(NAME)}"):
        code, shown = server.get(path, accept="text/html")
        assert code == 404
        assert told(shown) == []
    status, metrics = server.get("metrics")
    assert status == 200
    assert 'path="/v1/ask",status="200"' in metrics
    assert 'path="/v1/documents/{document_id}",status="404"' in metrics
    assert told(metrics) == []
    assert told(server.log.read_text()) == []


def test_a_library_logs_where_it_failed_but_not_of_what(
    capfd: pytest.CaptureFixture[str],
) -> None:
    observe.configure(observe.to_people)
    library = logging.getLogger("some.library")
    with to_events():
        try:
            raise ValueError(f"no such patient: {NAME}")
        except ValueError:
            library.exception("request of %s failed", NAME)
        library.info("all is well")
    shown = capfd.readouterr().err
    assert "logger=some.library" in shown
    assert "error=ValueError" in shown
    assert f"{Path(__file__).name}:" in shown
    assert "all is well" not in shown
    assert told(shown) == []
