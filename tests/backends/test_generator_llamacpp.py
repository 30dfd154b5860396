"""llama.cpp in process: the contract, bad files, a conversation too long, no open door."""

import httpx
import pytest

from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.testing.generator import ASK, CHECKS, check_closed
from aegle.testing.weights import WeightsUnavailableError, cached


@pytest.fixture(scope="module")
def gguf():
    try:
        return cached("smollm2")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def opened(gguf):
    generator = LlamaCppGenerator(gguf, threads=2, context=512)
    really_close, generator.close = generator.close, lambda: None  # the checks share the model
    yield generator
    really_close()


@pytest.mark.parametrize(
    "check", [c for c in CHECKS if c is not check_closed], ids=lambda check: check.__name__
)
def test_contract(check, opened):
    check(lambda: opened)


def test_contract_of_closing(gguf):
    for _ in range(4):  # closing at once used to hang, most times
        check_closed(lambda: LlamaCppGenerator(gguf.parent, threads=1, context=256))


def test_a_conversation_too_long_is_refused_with_its_size(opened):
    long = [{"role": "user", "content": "xyzzy " * 600}]
    with pytest.raises(BackendError, match="holds 512") as caught:
        opened.generate(long, max_tokens=4)
    assert "xyzzy" not in str(caught.value)
    with pytest.raises(BackendError, match="holds 512"):
        list(opened.stream(long, max_tokens=4))


def test_no_other_user_of_the_machine_can_ask(opened):
    url = opened._server.listening_address
    body = {"messages": list(ASK), "max_tokens": 1}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 401
    for path in ("/slots", "/props", "/metrics", "/v1/models"):
        assert httpx.get(url + path).status_code in (401, 404, 501)


def test_files_that_are_no_model(tmp_path):
    with pytest.raises(NotFoundError, match="0 GGUF files"):
        LlamaCppGenerator(tmp_path)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a GGUF"):
        LlamaCppGenerator(bad)
    bad.write_bytes(b"GGUF" + b"\x00" * 500)
    with pytest.raises(InputError, match="can't load"):
        LlamaCppGenerator(bad)
