"""Remote reranking against a server process that speaks three dialects, and against trouble."""

import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from aegle.backends.reranker_http import HttpReranker, format_of
from aegle.core.errors import BackendError, PrivacyError, UsageError
from aegle.core.text import SafeText
from aegle.testing.reranker import CHECKS, PASSAGES, QUESTION, check_meaning

KEY = "a-key-for-the-test"
SECRET = "xyzzy"


@pytest.fixture(scope="module")
def url():
    script = Path(__file__).with_name("rerank_server.py")
    with subprocess.Popen(
        [sys.executable, str(script), KEY], stdout=subprocess.PIPE, text=True
    ) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.terminate()


def opened(url, format, **how):
    model = "" if format == "tei" else "a-model"
    return HttpReranker(url, format=format, model=model, api_key=KEY, **how)


def seen(url):
    return httpx.get(f"{url}/seen").json()


@pytest.mark.parametrize("format", ["cohere", "jina", "tei"])
@pytest.mark.parametrize("check", [*CHECKS, check_meaning], ids=lambda check: check.__name__)
def test_contract(check, format, url):
    check(lambda: opened(url, format))


def test_each_dialect_is_asked_as_its_specification_says(url):
    asked = {}
    for format in ("cohere", "jina", "tei"):
        reranker = opened(url, format)
        reranker.score(QUESTION, PASSAGES[:2])
        reranker.close()
        asked[format] = seen(url)[-1]
    two = [str(one) for one in PASSAGES[:2]]
    named = {"query": QUESTION, "documents": two, "model": "a-model", "top_n": 2}
    assert asked["cohere"] == {"path": "/v2/rerank", **named}
    assert asked["jina"] == {"path": "/v1/rerank", "return_documents": False, **named}
    told = {"raw_scores": False, "return_text": False, "truncate": True}
    assert asked["tei"] == {"path": "/rerank", "query": QUESTION, "texts": two, **told}


def test_many_passages_go_in_as_many_requests_as_tei_takes(url):
    passages = [SafeText(f"pump {n}", by="test") for n in range(70)]
    reranker = opened(url, "tei")
    before = len(seen(url))
    assert reranker.score("pump 69", passages).shape == (70,)
    assert int(np.argmax(reranker.score("pump 69", passages))) == 69
    reranker.close()
    assert [len(one["texts"]) for one in seen(url)[before : before + 3]] == [32, 32, 6]


@pytest.mark.parametrize(
    ("address", "format"),
    [
        ("https://api.cohere.com", "cohere"),
        ("https://api.jina.ai/", "jina"),
        ("http://h:8080/v2/rerank", "cohere"),
        ("http://h/inner/v1/rerank/", "jina"),
        ("http://h/rerank", "tei"),
    ],
)
def test_the_address_says_the_format(address, format):
    assert format_of(httpx.URL(address)) == format


def test_an_address_with_and_without_the_path(url):
    for end in ("", "/", "/v1", "/v1/rerank", "/v1/rerank/"):
        reranker = opened(url + end, "jina")
        assert reranker.score(QUESTION, PASSAGES[:1]).shape == (1,)
        reranker.close()
    reranker = HttpReranker(f"{url}/rerank", api_key=KEY)
    assert reranker.format == "tei"
    reranker.close()


def test_what_can_not_be_asked(url):
    for wrong in ("ftp://h/rerank", "nothing", "http://"):
        with pytest.raises(UsageError, match="address"):
            HttpReranker(wrong)
    with pytest.raises(UsageError, match="does not say what it speaks"):
        HttpReranker(url)
    with pytest.raises(UsageError, match="cohere, jina, tei or auto; got 'other'"):
        HttpReranker(url, format="other")
    with pytest.raises(UsageError, match=r"retrieve\.rerank_model"):
        HttpReranker(url, format="cohere")
    reranker = opened(url, "tei")
    before = len(seen(url))
    with pytest.raises(PrivacyError, match="de-identified passages only"):
        reranker.score(QUESTION, ["plain text"])
    assert len(seen(url)) == before
    reranker.close()


def problem(url, how, **more):
    waits = []
    reranker = HttpReranker(
        f"{url}/trouble/{how}", format="tei", wait=waits.append, api_key=KEY, **more
    )
    with pytest.raises(BackendError) as caught:
        reranker.score(f"the {SECRET}", [SafeText(f"{SECRET} {n}", by="test") for n in range(3)])
    reranker.close()
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)
    return str(caught.value), waits


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("401", "401: the API key"),
        ("404", "404: it knows no such model"),
        ("413", "rerank_top"),
        ("418", "answered 418"),
        ("302", "answered 302"),
        ("html", "sent no JSON"),
        ("form", "does not answer as tei does"),
        ("text", "does not answer as tei does"),
        ("few", "did not score each of 3"),
        ("twice", "did not score each of 3"),
        ("nan", "did not score each of 3"),
    ],
)
def test_wrong_answers_are_told_at_once_and_without_a_word_of_text(how, message, url):
    told, waits = problem(url, how)
    assert message in told
    assert waits == []


def test_what_may_pass_is_tried_three_times_with_longer_waits(url):
    told, waits = problem(url, "503")
    assert "answered 503" in told
    assert waits == [0.5, 1.0]
    told, waits = problem(url, "slow", timeout_s=0.1)
    assert "in time" in told
    assert waits == [0.5, 1.0]


def test_nobody_there():
    with HttpxFreePort() as port:
        told, waits = problem(f"http://user:{SECRET}@127.0.0.1:{port}", "x")
    assert "is it running?" in told
    assert len(waits) == 2


def test_a_busy_service_is_waited_for_as_long_as_it_asks(url):
    waits = []
    reranker = HttpReranker(f"{url}/trouble/busy", format="tei", wait=waits.append)
    assert reranker.score("a", PASSAGES[:2]).tolist() == [0.5, 0.5]
    assert waits == [2.0, 2.0]
    reranker.close()


class HttpxFreePort:
    """A port that nothing listens on."""

    def __enter__(self):
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    def __exit__(self, *_):
        """Nothing is held."""
