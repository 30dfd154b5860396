"""A real server process under real clients: OpenAI's, swaps under load, clients that leave, end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from aegle.flows import commands, keys, workspace
from aegle.lm.catalog import resolve
from aegle.testing.weights import WeightsUnavailableError, cached

openai = pytest.importorskip("openai", reason="needs OpenAI's client")
ASKED: dict[str, Any] = {
    "model": "smollm2",
    "messages": [{"role": "user", "content": "Name a colour."}],
    "max_tokens": 12,
    "seed": 1,
}


@dataclass
class Running:
    """A server, its workspace and keys by role."""

    url: str
    process: subprocess.Popen[str]
    root: Path
    keys: dict[str, str]

    def post(self, path: str, body: object, role: str = "analyst") -> httpx.Response:
        told = {"authorization": f"Bearer {self.keys[role]}"} if role else {}
        return httpx.post(self.url + path, json=body, headers=told, timeout=120)

    def audit(self) -> list[dict[str, Any]]:
        """The lines of all that ended; one is written just after its reply, so wait for the last.

        None of these tests has a request under way when it reads them, so a pause is the end.
        """
        shown = None
        while shown != (shown := self._lines()):
            time.sleep(0.1)
        return [json.loads(one) for one in shown]

    def _lines(self) -> list[str]:
        paths = (self.root / "journal").glob("requests-*.jsonl")
        return [one for path in paths for one in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def server(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("process") / "w"
    shutil.copytree(_built, root, ignore=shutil.ignore_patterns("owner.sock"))
    layout = workspace.check(root)
    made = {role: keys.add(layout, role, role=role, rate=0) for role in keys.ROLES}
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", "0"]
    command += ["--set", "serve.require_keys=true"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = next(w for w in process.stdout.readline().split() if w.startswith("http")).rstrip("/")
    for _ in range(300):
        try:
            if httpx.get(url + "/readyz").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    yield Running(url, process, root, made)
    if process.poll() is None:
        process.kill()
    process.wait(60)
    process.stdout.close()


@pytest.fixture(scope="module")
def client(server: Running) -> Any:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.keys["analyst"], max_retries=0)


@pytest.fixture(scope="module")
def writes() -> None:
    """Skips where the generator's weights aren't here."""
    try:
        cached("smollm2")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))


def text_of(stream: Any) -> str:
    return "".join(one.choices[0].delta.content or "" for one in stream if one.choices)


def test_models_and_keys(client: Any, server: Running) -> None:
    assert {"aegle-rag", "minilm"} <= {one.id for one in client.models.list()}
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="aegle_wrong").models.list()
    with pytest.raises(openai.PermissionDeniedError):
        reader = client.with_options(api_key=server.keys["reader"])
        reader.embeddings.create(model="minilm", input="pump")


def test_embeddings(client: Any) -> None:
    packed = client.embeddings.create(model="minilm", input=["pump", "ward"])
    plain = client.embeddings.create(model="minilm", input="ward", encoding_format="float")
    assert len(packed.data[0].embedding) == 384
    assert packed.data[1].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    short = client.embeddings.create(model="minilm", input="ward", dimensions=64)
    assert sum(x * x for x in short.data[0].embedding) == pytest.approx(1, abs=1e-4)
    assert plain.usage.prompt_tokens > 0


def test_the_workspace_answers(client: Any) -> None:
    asked = [{"role": "user", "content": "Which devices are in ICU-3?"}]
    whole = client.chat.completions.create(model="aegle-rag", messages=asked)
    stream = client.chat.completions.create(model="aegle-rag", messages=asked, stream=True)
    message = whole.choices[0].message
    assert message.content
    assert message.model_extra["aegle"]["refused"] != bool(message.model_extra["aegle"]["claims"])
    assert text_of(stream) == message.content


def test_rerank_and_classify(server: Running) -> None:
    passages = ["The sky is blue.", "Aspirin treats headache."]
    body = {"query": "What treats headache?", "documents": passages, "top_n": 1}
    ranked = server.post("/v1/rerank", body)
    assert [one["index"] for one in ranked.json()["results"]] == [1]
    told = server.post("/v1/classify", {"texts": ["dumped LSASS memory"], "top": 2})
    assert len(told.json()["results"][0]) == 2
    assert server.post("/v1/classify", {"texts": ["x"], "head": "none"}).status_code == 404
    text = "Takes warfarin daily."
    found = server.post("/v1/tag", {"texts": [text], "head": "clinical"}).json()["results"][0]
    assert "warfarin" in [text[one["start"] : one["end"]] for one in found["spans"]]
    assert server.post("/v1/tag", {"texts": ["x"], "head": "none"}).status_code == 404
    assert server.post("/v1/tag", {"texts": ["x"], "head": "clinical"}, "reader").status_code == 403


@pytest.mark.usefixtures("writes")
def test_a_stream_says_what_a_whole_reply_says(client: Any) -> None:
    whole = client.chat.completions.create(**ASKED)
    stream = client.chat.completions.create(**ASKED, stream=True)
    assert text_of(stream) == whole.choices[0].message.content
    assert whole.model == "smollm2"
    assert whole.usage.completion_tokens > 0
    again = client.chat.completions.create(
        **ASKED, stream=True, stream_options={"include_usage": True}
    )
    assert [one.usage for one in again if one.usage][-1].completion_tokens > 0
    gone_on = client.completions.create(model="smollm2", prompt="Once upon a", max_tokens=3)
    assert gone_on.choices[0].text


@pytest.mark.usefixtures("writes")
def test_a_reply_keeps_its_schema(client: Any) -> None:
    def form(schema: dict[str, Any]) -> dict[str, Any]:
        return {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema}}

    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    asked = {**ASKED, "max_tokens": 60}
    reply = client.chat.completions.create(**asked, response_format=form(schema))
    assert json.loads(reply.choices[0].message.content)["colour"] in ("red", "blue")
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**ASKED, response_format=form({"type": "Quorbina"}))
    assert "Quorbina" not in str(caught.value)


def test_errors_are_those_of_openai(client: Any) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**{**ASKED, "model": "none"})
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**{**ASKED, "temperature": 9})
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="minilm", input="x", dimensions=9999)


@pytest.mark.usefixtures("writes")
def test_a_client_that_leaves_frees_the_generator(client: Any, server: Running) -> None:
    long = {**ASKED, "max_tokens": 2000, "messages": [{"role": "user", "content": "Count on."}]}
    stream = client.chat.completions.create(**long, stream=True)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(**ASKED).choices[0].message.content
    paths = [one for one in server.audit() if one["what"] == "/v1/chat/completions"]
    assert 499 in [one["status"] for one in paths]


def test_a_swap_under_load_fails_no_request(server: Running, tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(resolve("tagger"), folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "version": "swapped-1"}))
    seen: list[int] = []
    stop = threading.Event()

    def ask(who: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            body = {"text": f"Quorbina denies chest pain {who} {n}."}
            seen.append(server.post("/v1/extract", body).status_code)

    asking = [threading.Thread(target=ask, args=(who,)) for who in range(3)]
    for one in asking:
        one.start()
    try:
        body = {"port": "tagger", "model": f"path:{folder}"}
        assert server.post("/admin/models", body).status_code == 403
        swapped = server.post("/admin/models", body, "admin")
        none = server.post("/admin/models", {**body, "model": "path:/no/such"}, "admin")
        after = len(seen)
        while len(seen) < after + 20 and not stop.wait(0.01):
            pass
    finally:
        stop.set()
        for one in asking:
            one.join(60)
    assert (swapped.status_code, none.status_code) == (200, 404)
    assert swapped.json()["version"].startswith("swapped-1")
    assert set(seen) == {200}
    made_by = [one["model"] for one in server.audit() if one["what"] == "/v1/extract"]
    assert made_by[-1].startswith("swapped-1")


def test_forgetting_by_another_process_empties_the_caches(server: Running, tmp_path: Path) -> None:
    body = {"text": "Takes metoprolol for hypertension."}
    note = tmp_path / "note.txt"
    note.write_text("Visit note. Takes metoprolol for hypertension. MRN 771009.")

    def cached() -> int:
        reply = server.post("/v1/extract", body)
        until = time.monotonic() + 20
        while time.monotonic() < until:  # the line is written when the reply is over
            for one in server.audit():
                if one["id"] == reply.headers["x-request-id"]:
                    return int(one["cached"])
            time.sleep(0.01)
        raise AssertionError("a request is not in the audit")

    assert [cached(), cached()] == [0, 1]
    commands.run(server.root, "ingest", {"paths": [str(note)]})
    assert [cached(), cached()] == [0, 1]
    commands.run(server.root, "forget", {"what": str(note)})
    assert cached() == 0


def test_audit_and_metrics_hold_no_text(server: Running) -> None:
    told = {"authorization": f"Bearer {server.keys['reader']}"}
    metrics = httpx.get(f"{server.url}/metrics", headers=told).text
    assert "aegle_waiting_tokens_extract" in metrics
    for shown in (metrics, json.dumps(server.audit())):
        assert "Quorbina" not in shown
        assert "chest" not in shown


def test_told_to_end_it_ends_what_it_accepted(server: Running) -> None:
    """Last: nothing answers after it."""
    text = " ".join(f"Takes warfarin {n} mg daily for atrial fibrillation." for n in range(150))
    replies: list[httpx.Response] = []
    accepted = threading.Thread(
        target=lambda: replies.append(server.post("/v1/extract", {"text": text}))
    )
    accepted.start()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.25)
    late = server.post("/v1/extract", {"text": "new"})
    accepted.join(120)
    assert (late.status_code, int(late.headers["retry-after"]) > 0) == (503, True)
    assert replies[0].status_code == 200
    assert server.process.wait(90) == 0
    assert [one["status"] for one in server.audit()][-2:] in ([503, 200], [200, 503])
