"""Other servers load what is exported, and say what Aegle says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import aegle
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import quiet
from aegle.flows.exporting import export
from aegle.lm.alone import Alone
from taught import teach

TEXTS = ["zorblax for gleepitis", "no zorblax, day 3", "{a brace} and gleepitis"]
KNOWN = {"biomedical": {"zorblax": "chemical", "gleepitis": "disease"}}
SERVERS = {"bento": "BENTOML_PROGRAM", "torchserve": "TORCHSERVE_PROGRAM"}
"""The programs of these servers, each in an environment of its own that sees this package."""


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "words"
    folder.mkdir()
    return teach(folder, KNOWN)


@pytest.fixture(scope="module")
def wanted(tagger: Path) -> list[Any]:
    model = Alone(tagger, "tagger", threads=1)
    told = model.read(TEXTS)
    assert [one["label"] for one in told[0]["biomedical"]] == ["chemical", "disease"]
    model.close()
    return told


def test_triton_s_python_backend_runs_it(
    tagger: Path, wanted: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its interface as its documentation has it: no Triton server runs without a container."""
    made = export("triton", str(tagger), tmp_path / "repository", name="clinical", progress=quiet)
    here = tmp_path / "repository" / "clinical"
    assert made["kind"] == "tagger" and made["bytes"] > 0
    config = (here / "config.pbtxt").read_text()
    assert 'name: "clinical"' in config and config.count("{") == config.count("}")
    backend = types.ModuleType("triton_python_backend_utils")
    backend.Tensor = lambda name, array: (name, array)  # type: ignore[attr-defined]
    backend.TritonError = lambda message: message  # type: ignore[attr-defined]
    backend.InferenceResponse = lambda output_tensors=(), error=None: (  # type: ignore[attr-defined]
        output_tensors,
        error,
    )
    backend.get_input_tensor_by_name = lambda request, name: types.SimpleNamespace(  # type: ignore[attr-defined]
        as_numpy=lambda: request[name]
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend)
    namespace: dict[str, Any] = {"__name__": "model"}
    exec((here / "1" / "model.py").read_text(), namespace)
    model = namespace["TritonPythonModel"]()
    model.initialize(
        {
            "model_repository": str(here),
            "model_version": "1",
            "model_config": json.dumps({"parameters": {"kind": {"string_value": "tagger"}}}),
        }
    )
    rows = [np.array([[one.encode()]], dtype=np.object_) for one in TEXTS]
    asked = [{"text": np.concatenate(rows[:2])}, {"text": np.array([[b"\xff"]])}, {"text": rows[2]}]
    first, broken, last = model.execute(asked)
    model.finalize()
    ((name, told),) = first[0]
    assert name == "result" and told.shape == (2, 1)
    assert [json.loads(one) for one in told.ravel()] == wanted[:2]
    assert broken[1] == "a text is not UTF-8"
    assert json.loads(last[0][0][1][0, 0]) == wanted[2]


def test_triton_s_client_reads_its_configuration(tagger: Path, tmp_path: Path) -> None:
    grpc = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs tritonclient")
    from google.protobuf import text_format

    export("triton", str(tagger), tmp_path / "r", name="clinical", progress=quiet)
    config = text_format.Parse(
        (tmp_path / "r/clinical/config.pbtxt").read_text(), grpc.ModelConfig()
    )
    assert config.max_batch_size == 16 and config.dynamic_batching.max_queue_delay_microseconds
    assert [one.name for one in (*config.input, *config.output)] == ["text", "result"]


def test_an_archive_is_the_same_whenever_it_is_written(tagger: Path, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        export("torchserve", str(tagger), tmp_path / name, name="words", progress=quiet)
        files.append((tmp_path / name / "model-store" / "words.mar").read_bytes())
        assert not (tmp_path / name / "handled").exists()
    assert files[0] == files[1]
    with zipfile.ZipFile(tmp_path / "a" / "model-store" / "words.mar") as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
    assert manifest["model"]["handler"] in names and "model/model.onnx" in names
    assert not any(one.endswith((".pt", ".pth", ".pkl", ".bin")) for one in names)


@contextmanager
def server(command: list[str], folder: Path, ready: str) -> Iterator[None]:
    source = str(Path(aegle.__file__).parents[1])
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": source}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                if httpx.get(ready, timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, "the server ended"
            time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.skipif(not os.environ.get(SERVERS["bento"]), reason=f"needs {SERVERS['bento']}")
def test_bentoml_serves_it(tagger: Path, wanted: list[Any], tmp_path: Path) -> None:
    export("bento", str(tagger), tmp_path / "bento", name="words", progress=quiet)
    port = free()
    command = [os.environ[SERVERS["bento"]], "serve", "--port", str(port)]
    with server(command, tmp_path / "bento", f"http://127.0.0.1:{port}/readyz"):
        told = httpx.post(f"http://127.0.0.1:{port}/read", json={"texts": TEXTS}, timeout=60)
    assert told.json() == wanted


@pytest.mark.skipif(
    not (os.environ.get(SERVERS["torchserve"]) and shutil.which("java")),
    reason=f"needs {SERVERS['torchserve']} and java",
)
def test_torchserve_serves_it(tagger: Path, wanted: list[Any], tmp_path: Path) -> None:
    folder = tmp_path / "store"
    export("torchserve", str(tagger), folder, name="words", progress=quiet)
    ports = [free() for _ in range(3)]
    config = folder / "config.properties"
    text = config.read_text()
    for old, new in zip((8080, 8081, 8082), ports, strict=True):
        text = text.replace(f":{old}", f":{new}")
    config.write_text(text)
    command = [os.environ[SERVERS["torchserve"]], "--start", "--foreground", "--ncs"]
    command += ["--disable-token-auth", "--ts-config", "config.properties"]
    with server(command, folder, f"http://127.0.0.1:{ports[0]}/ping"):
        url = f"http://127.0.0.1:{ports[0]}/predictions/words"
        for text, want in zip(TEXTS, wanted, strict=True):
            for _ in range(100):  # pings are answered before the worker is up
                told = httpx.post(url, content=text.encode(), timeout=60)
                if told.status_code != 503:
                    break
                time.sleep(0.3)
            assert told.status_code == 200, told.text
            assert told.json() == want


def test_what_cannot_be_exported_is_said(tagger: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="holds something"):
        export("bento", str(tagger), tmp_path / "full", progress=quiet)
    with pytest.raises(UsageError, match="small letters"):
        export("bento", str(tagger), tmp_path / "a", name="../x", progress=quiet)
    with pytest.raises(UsageError, match="triton, torchserve, bento, onnx"):
        export("seldon", str(tagger), tmp_path / "a", progress=quiet)
    with pytest.raises(InputError, match="is a graph"):
        export("onnx", str(tagger), tmp_path / "a", progress=quiet)
    assert not (tmp_path / "a").exists()
