"""The OpenAI client: the contract against a real server (llama.cpp's), errors against bad ones."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import xllamacpp

from aegle.backends.generator_openai import OpenAIGenerator
from aegle.core.errors import BackendError, UsageError
from aegle.testing.generator import ASK, CHECKS
from aegle.testing.weights import WeightsUnavailableError, cached

KEY = "a-key-for-the-test"


@pytest.fixture(scope="module")
def url():
    try:
        gguf = cached("smollm2")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_ctx, params.n_parallel, params.port, params.verbosity = 512, 1, 0, -1
    params.cpuparams.n_threads, params.cpuparams_batch.n_threads = 1, 2
    params.api_keys = [KEY]
    params.cache_prompt = False
    params.warmup = False
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, url):
    check(lambda: OpenAIGenerator(url, model="smollm2", api_key=KEY))


def test_address_with_or_without_v1_and_a_wrong_key(url):
    with_v1 = OpenAIGenerator(f"{url}/v1/", model="smollm2", api_key=KEY)
    assert with_v1.generate(ASK, max_tokens=2)
    with_v1.close()
    wrong = OpenAIGenerator(url, model="smollm2", api_key="wrong")
    with pytest.raises(BackendError, match="401: the API key"):
        wrong.generate(ASK, max_tokens=2)
    wrong.close()


class _Bad(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        how = self.path.split("/")[1]
        status = int(how) if how.isdigit() else 200
        body = {
            "html": b"<html>hello</html>",
            "form": b'{"choices": []}',
            "error": b'{"error": "it said xyzzy"}',
            "broken": b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
            "rest": b": ping\n\ndata: {}\n\ndata: [DONE]\n\n",
        }.get(how, b'{"error": {"message": "you said xyzzy"}}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture(scope="module")
def bad():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bad)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "how, told",
    [
        ("500", "answered 500"),
        ("404", "no such model"),
        ("html", "not JSON"),
        ("form", "form of a completion"),
        ("error", "reported an error"),
    ],
)
def test_bad_servers_are_named_and_not_quoted(bad, how, told):
    generator = OpenAIGenerator(f"http://me:secret@{bad}/{how}", model="m")
    with pytest.raises(BackendError, match=told) as caught:
        generator.generate([{"role": "user", "content": "xyzzy"}], max_tokens=2)
    assert "xyzzy" not in str(caught.value)
    assert "secret" not in str(caught.value)
    generator.close()


def test_a_stream_that_breaks_off_is_no_reply(bad):
    generator = OpenAIGenerator(f"http://{bad}/broken", model="m")
    stream = generator.stream(ASK, max_tokens=2)
    assert next(stream) == "half"
    with pytest.raises(BackendError, match="broke off"):
        next(stream)
    generator.close()


def test_comments_and_empty_pieces_are_passed_over(bad):
    generator = OpenAIGenerator(f"http://{bad}/rest", model="m")
    assert list(generator.stream(ASK, max_tokens=2)) == []
    generator.close()


def test_nobody_there_and_no_address():
    generator = OpenAIGenerator("http://127.0.0.1:9", model="m", timeout_s=2)
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:9.*is it running"):
        generator.generate(ASK, max_tokens=2)
    generator.close()
    with pytest.raises(UsageError, match="http"):
        OpenAIGenerator("localhost:8000", model="m")


def test_request_says_what_was_asked(url):
    generator = OpenAIGenerator(url, model="smollm2", api_key=KEY)
    hot = generator.generate(ASK, max_tokens=16, temperature=1.5, seed=1)
    assert hot != generator.generate(ASK, max_tokens=16)
    assert json.dumps(hot)
    generator.close()
