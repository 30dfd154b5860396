"""What Triton, TorchServe and BentoML load a model by; their code asks `aegle.lm.alone`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aegle.core.artifacts import write_bytes

MODEL: Final = "model"
"""The folder of the weights, in each of them."""

_TRITON_CONFIG: Final = """\
# Text in, one JSON value out, for each text. The answers are Aegle's own.
name: "{name}"
backend: "python"
max_batch_size: {batch}
input [ {{ name: "text" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [ {{ name: "result" data_type: TYPE_STRING dims: [ 1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
dynamic_batching {{ max_queue_delay_microseconds: 2000 }}
parameters {{ key: "kind" value {{ string_value: "{kind}" }} }}
"""

_TRITON_MODEL: Final = '''\
"""Triton's python backend; its environment needs `pip install aegle=={version}`."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from aegle.core.errors import AegleError
from aegle.lm.alone import Alone


class TritonPythonModel:
    """Texts of all requests of a batch are read together."""

    def initialize(self, args):
        here = Path(args["model_repository"]) / args["model_version"]
        kind = json.loads(args["model_config"])["parameters"]["kind"]["string_value"]
        self.model = Alone(here / "{model}", kind)

    def execute(self, requests):
        asked = [self._texts(one) for one in requests]
        texts = [text for some in asked if some is not None for text in some]
        try:
            told = iter(self.model.read(texts))
        except AegleError as error:
            failed = pb_utils.TritonError(f"the model failed ({{type(error).__name__}})")
            return [pb_utils.InferenceResponse(error=failed) for _ in requests]
        return [self._reply(some, told) for some in asked]

    @staticmethod
    def _texts(request):
        """None where a text is no UTF-8: that costs only its own request."""
        given = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
        try:
            return [one.decode("utf-8") for one in given.reshape(-1)]
        except UnicodeDecodeError:
            return None

    @staticmethod
    def _reply(texts, told):
        if texts is None:
            wrong = pb_utils.TritonError("a text is not UTF-8")
            return pb_utils.InferenceResponse(error=wrong)
        rows = [[json.dumps(next(told)).encode()] for _ in texts]
        tensor = pb_utils.Tensor("result", np.array(rows, dtype=np.object_).reshape(-1, 1))
        return pb_utils.InferenceResponse(output_tensors=[tensor])

    def finalize(self):
        self.model.close()
'''

_TORCHSERVE: Final = '''\
"""TorchServe's handler; its environment needs `pip install aegle=={version}`."""

import json
from pathlib import Path

from aegle.lm.alone import Alone


class Handler:
    """A body is a text, or JSON with a ``text``; the reply is one JSON value."""

    def initialize(self, context):
        here = Path(context.system_properties["model_dir"])
        self.model = Alone(here / "{model}", "{kind}")

    def handle(self, data, context):
        return [json.dumps(one) for one in self.model.read([self._text(one) for one in data])]

    @staticmethod
    def _text(request):
        body = request.get("data") or request.get("body") or b""
        if isinstance(body, (bytes, bytearray)):
            body = bytes(body).decode("utf-8", "replace")
        if isinstance(body, str) and body[:1] == "{{":
            try:
                body = json.loads(body)
            except ValueError:
                pass  # a text that begins so
        return str(body.get("text", "")) if isinstance(body, dict) else str(body)
'''

_BENTO: Final = '''\
"""A Bento: `bentoml serve` in this folder, or `bentoml build` and `bentoml containerize`."""

from pathlib import Path
from typing import Any

import bentoml

from aegle.lm.alone import Alone


@bentoml.service(name="{name}", traffic={{"timeout": 60}})
class Model:
    """What Aegle's {kind} says of texts."""

    def __init__(self) -> None:
        self.model = Alone(Path(__file__).parent / "{model}", "{kind}")

    @bentoml.api(batchable=True, max_batch_size={batch}, max_latency_ms=10_000)
    def read(self, texts: list[str]) -> list[Any]:
        """One JSON value for each text."""
        return self.model.read(texts)
'''

_BENTOFILE: Final = """\
service: "service:Model"
include:
  - service.py
  - {model}/**
python:
  packages:
    - aegle=={version}
"""

Put = Callable[[Path], None]
"""Puts the weights into a folder."""


def triton(into: Path, put: Put, **about: str) -> None:
    """A model repository: ``NAME/config.pbtxt``, ``NAME/1/model.py``, ``NAME/1/model/``."""
    here = into / about["name"]
    put(here / "1" / MODEL)
    _write(here / "config.pbtxt", _TRITON_CONFIG, about)
    _write(here / "1" / "model.py", _TRITON_MODEL, about)


def torchserve(into: Path, put: Put, **about: str) -> None:
    """A model store with ``NAME.mar``, and a configuration that loads it; it needs no archiver."""
    scratch = into / "handled"
    put(scratch / MODEL)
    _write(scratch / "handler.py", _TORCHSERVE, about)
    _write(scratch / "requirements.txt", "aegle=={version}\n", about)
    manifest = {
        "createdOn": "01/01/1980 00:00:00",
        "runtime": "python",
        "model": {
            "modelName": about["name"],
            "handler": "handler.py",
            "modelVersion": "1.0",
            "requirementsFile": "requirements.txt",
        },
        "archiverVersion": "0.12.0",
    }
    write_bytes(scratch / "MAR-INF" / "MANIFEST.json", json.dumps(manifest, indent=1).encode())
    store = into / "model-store"
    store.mkdir()
    archive = store / f"{about['name']}.mar"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(one for one in scratch.rglob("*") if one.is_file()):
            # Without times, so that the same model gives the same archive.
            entry = zipfile.ZipInfo(path.relative_to(scratch).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, path.read_bytes())
    for path in sorted(scratch.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    scratch.rmdir()
    text = (
        "# torchserve --start --ncs --disable-token-auth --ts-config config.properties\n"
        "inference_address=http://127.0.0.1:8080\n"
        "management_address=http://127.0.0.1:8081\n"
        "metrics_address=http://127.0.0.1:8082\n"
        "model_store=model-store\n"
        "load_models={name}.mar\n"
        "default_workers_per_model=1\n"
    )
    _write(into / "config.properties", text, about)


def bento(into: Path, put: Put, **about: str) -> None:
    """A folder that BentoML serves and builds from."""
    put(into / MODEL)
    _write(into / "service.py", _BENTO, about)
    _write(into / "bentofile.yaml", _BENTOFILE, about)


def _write(path: Path, template: str, about: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, template.format(**about, model=MODEL).encode())


FORMATS: Final[dict[str, Callable[..., None]]] = {
    "triton": triton,
    "torchserve": torchserve,
    "bento": bento,
}
