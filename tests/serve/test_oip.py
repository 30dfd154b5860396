"""The Open Inference Protocol: its own client over HTTP and gRPC, and what is no such request."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.flows import keys, workspace
from aegle.flows.kit import open_kit
from aegle.serve import tensors
from aegle.serve.access import role_for
from aegle.serve.app import build_app
from aegle.serve.tensors import Asked, Output

TRITON = os.environ.get("TRITONCLIENT_PYTHON", "")
"""A Python that has tritonclient[http,grpc], which wants an older protobuf than others here."""


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_strings_of_bytes_go_there_and_back(values: list[bytes]) -> None:
    assert tensors.unpack(tensors.pack(values)) == values


@given(st.binary(max_size=60), st.none() | st.text(max_size=4) | st.integers(0, 80).map(str))
def test_any_body_is_read_or_refused(body: bytes, size: str | None) -> None:
    try:
        tensors.read(body, size)
    except UsageError as error:
        assert str(error)


WORDS = st.text(max_size=5)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": JSONS, "datatype": st.just("BYTES") | JSONS, "shape": JSONS, "data": JSONS,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": JSONS}) | JSONS,
    },
)  # fmt: skip


REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(TENSORS, max_size=2) | JSONS,
        "outputs": JSONS,
        "parameters": JSONS,
        "id": JSONS,
    },
)


@given(REQUESTS, st.binary(max_size=12))
def test_any_object_is_read_or_refused(told: dict[str, Any], behind: bytes) -> None:
    head = json.dumps(told).encode()
    try:
        found = tensors.read(head + behind, str(len(head)))
    except UsageError:
        return
    assert all(isinstance(one, str) for some in found.texts.values() for one in some)


def test_a_long_header_and_two_inputs_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="header"):
        tensors.read(b"{}", "9" * 5000)
    one = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    with pytest.raises(UsageError, match="one name"):
        tensors.read(json.dumps({"inputs": [one, one]}).encode(), None)


def test_outputs_come_as_they_are_wanted() -> None:
    made = [Output("label", ["a", "ü"]), Output("score", np.array([[0.5], [2]], np.float32))]
    body, headers = tensors.write(
        "m", "1", Asked({}, outputs={"score": True, "label": False}), made
    )
    size = int(headers[tensors.HEADER])
    told = json.loads(body[:size])
    assert [one["name"] for one in told["outputs"]] == ["score", "label"]
    assert np.frombuffer(body[size:], "<f4").tolist() == [0.5, 2]
    assert told["outputs"][0]["shape"] == [2, 1] and told["outputs"][1]["data"] == ["a", "ü"]
    with pytest.raises(UsageError, match="label, score"):
        tensors.write("m", "1", Asked({}, outputs={"x": True}), made)


def test_roles() -> None:
    assert (
        role_for("/v2/models/extract/infer")
        == role_for("/v2/models/x/versions/1/infer")
        == "analyst"
    )
    assert role_for("/v2/models/extract") == "reader" and role_for("/v2/health/live") == ""


@pytest.fixture(scope="module")
def client(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    layout = workspace.create(tmp_path_factory.mktemp("oip") / "w")
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        _ = kit.encoder, kit.corpus, kit.index
        yield TestClient(build_app(kit), raise_server_exceptions=False)


def asked(*texts: str, name: str = "text", **more: Any) -> dict[str, Any]:
    shape = [len(texts)]
    return {
        "inputs": [{"name": name, "datatype": "BYTES", "shape": shape, "data": list(texts)}],
        **more,
    }


def test_it_says_what_the_other_endpoints_say(client: TestClient) -> None:
    texts = ["On warfarin 5 mg.", "Denies chest pain."]
    told = client.post(
        "/v2/models/extract/infer", json=asked(*texts, parameters={"domain": "healthcare"}, id="x")
    ).json()
    assert told["model_name"] == "extract" and told["id"] == "x"
    (output,) = told["outputs"]
    for text, fact in zip(texts, output["data"], strict=True):
        want = client.post("/v1/extract", json={"text": text, "domain": "healthcare"}).json()
        assert json.loads(fact)["entities"] == want["entities"]
    vectors = client.post("/v2/models/embed/infer", json=asked(*texts)).json()["outputs"][0]
    name = client.get("/v1/models").json()["data"][1]["id"]
    want = client.post("/v1/embeddings", json={"input": texts, "model": name}).json()["data"]
    rows = np.reshape(vectors["data"], vectors["shape"])
    assert np.allclose(rows, [one["embedding"] for one in want], atol=1e-3)
    told = client.post("/v2/models/classify/infer", json=asked(*texts)).json()["outputs"]
    best = client.post("/v1/classify", json={"texts": texts, "top": 1}).json()["results"]
    assert [one["label"] for (one,) in best] == told[0]["data"]
    assert np.allclose([one["score"] for (one,) in best], told[1]["data"], atol=1e-3)
    assert client.get("/v2").json()["name"] == "aegle"
    assert (
        client.get("/v2/health/live").status_code
        == client.get("/v2/health/ready").status_code
        == 200
    )
    assert client.get("/v2/models/rerank").json()["outputs"][0]["datatype"] == "FP32"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2/models/none/infer", asked("a"), 404),
        ("/v2/models/extract/versions/2/infer", asked("a"), 404),
        ("/v2/models/extract/infer", asked("a", name="x"), 400),
        ("/v2/models/extract/infer", asked(""), 400),
        ("/v2/models/extract/infer", asked("a", parameters={"domain": "x"}), 400),
        ("/v2/models/extract/infer", asked("a", parameters=[1]), 400),
        ("/v2/models/extract/infer", asked(*["a"] * 65), 400),
        ("/v2/models/classify/infer", asked("a", parameters={"head": "none"}), 404),
        ("/v2/models/extract/infer", [], 400),
    ],
)
def test_errors_have_the_protocol_s_shape(
    client: TestClient, path: str, body: Any, status: int
) -> None:
    reply = client.post(path, json=body)
    assert reply.status_code == status, reply.text
    assert isinstance(reply.json()["error"], str) and set(reply.json()) == {"error"}


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """(HTTP address, gRPC address, key) of a real server."""
    pytest.importorskip("grpc", reason="needs the extra 'grpc'")
    root = tmp_path_factory.mktemp("oip-served") / "w"
    key = keys.add(workspace.create(root), "me", role="analyst", rate=0)
    http, grpc = free(), free()
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", str(http)]
    command += ["--grpc-port", str(grpc), "--set", "serve.require_keys=true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{http}/readyz").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    yield f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", key
    process.terminate()
    assert process.wait(60) == 0


def test_grpc_answers_and_refuses(served: tuple[str, str, str]) -> None:
    import grpc

    from aegle.serve.oip_messages import MESSAGES, SERVICE

    _, address, key = served
    with grpc.insecure_channel(address) as channel:

        def call(name: str, raw: bytes, secret: str = key) -> bytes:
            told = (("authorization", f"Bearer {secret}"),)
            reply: bytes = channel.unary_unary(f"/{SERVICE}/{name}")(raw, metadata=told, timeout=60)
            return reply

        live = MESSAGES["ServerLiveResponse"].FromString(call("ServerLive", b"", "none"))
        assert live.live
        request = MESSAGES["ModelInferRequest"](model_name="extract", id="7")
        request.parameters["domain"].string_param = "healthcare"
        one = request.inputs.add(name="text", datatype="BYTES", shape=[1])
        one.contents.bytes_contents.append(b"On warfarin 5 mg.")
        raw = request.SerializeToString()
        told = MESSAGES["ModelInferResponse"].FromString(call("ModelInfer", raw))
        (fact,) = tensors.unpack(told.raw_output_contents[0])
        assert told.id == "7" and json.loads(fact)["entities"][0]["text"] == "warfarin"
        request.model_name = "none"
        for wrong, secret, status in (
            (raw, "none", grpc.StatusCode.UNAUTHENTICATED),
            (request.SerializeToString(), key, grpc.StatusCode.NOT_FOUND),
            (b"\xff\xff\xff", key, grpc.StatusCode.INVALID_ARGUMENT),
            (b"", key, grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call("ModelInfer", wrong, secret)
            assert refused.value.code() == status
        dots = MESSAGES["ModelMetadataRequest"](name="..", version="..").SerializeToString()
        with pytest.raises(grpc.RpcError) as refused:
            call("ModelMetadata", dots)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        rng = np.random.default_rng(0)
        for _ in range(60):  # bytes of a real request, bent
            bent = bytearray(raw)
            for place in rng.integers(0, len(bent), 3):
                bent[place] = rng.integers(0, 256)
            try:
                call("ModelInfer", bytes(bent[: rng.integers(1, len(bent) + 1)]))
            except grpc.RpcError as error:
                assert error.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
                assert "Traceback" not in (error.details() or "")


@pytest.mark.skipif(not TRITON, reason="needs TRITONCLIENT_PYTHON, a Python with tritonclient")
def test_triton_s_client(served: tuple[str, str, str]) -> None:
    script = Path(__file__).with_name("triton_asks.py")
    done = subprocess.run(
        [TRITON, str(script), *served], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    both = json.loads(done.stdout.splitlines()[-1])
    for told in both.values():
        assert told["live"] and told["ready"] and told["model"] and told["inputs"] == "text"
        assert told["facts"][0]["entities"][0]["text"] == "warfarin"
        assert told["scores"][0] > told["scores"][1]
        assert np.allclose(np.linalg.norm(told["vectors"], axis=1), 1, atol=1e-3)
        assert len(told["errors"]) == 3
    assert np.allclose(both["http"]["vectors"], both["grpc"]["vectors"], atol=1e-3)
