"""A rerank service of three dialects, run as a process: ``python rerank_server.py KEY``.

Each path takes the requests of its public specification and refuses others: Cohere's
``/v2/rerank``, Jina's ``/v1/rerank``, text-embeddings-inference's ``/rerank``. A score is the share
of the question's words that a text has. Paths below ``/trouble/`` answer as their name says. The
first line of output is the port; ``/seen`` tells what was asked, most recent last.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

FIELDS = {
    "/v2/rerank": ("documents", {"model", "query", "documents"}, {"top_n", "max_tokens_per_doc"}),
    "/v1/rerank": (
        "documents",
        {"model", "query", "documents"},
        {"top_n", "return_documents", "truncation"},
    ),
    "/rerank": (
        "texts",
        {"query", "texts"},
        {"raw_scores", "return_text", "truncate", "truncation_direction"},
    ),
}
TEI_BATCH = 32


def relevance(query: str, text: str) -> float:
    words = query.lower().split()
    return sum(word.strip("?.") in text.lower() for word in words) / max(1, len(words))


class Service(BaseHTTPRequestHandler):
    key = ""
    seen: ClassVar[list[dict]] = []
    counts: ClassVar[dict[str, int]] = {}

    def do_GET(self):
        self._send(200, self.seen)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append({"path": self.path, **body})
        if self.path.startswith("/trouble/"):
            return self._trouble(self.path.split("/")[2], body)
        if self.headers.get("Authorization") != f"Bearer {self.key}":
            return self._send(401, {"message": f"no key for {body.get('query')}"})
        if self.path not in FIELDS:
            return self._send(404, {"message": "no such path"})
        return self._rank(self.path, body)

    def _rank(self, path, body):
        name, wanted, more = FIELDS[path]
        if not wanted <= set(body) <= wanted | more or not body[name]:
            return self._send(422 if path == "/rerank" else 400, {"message": body["query"]})
        if path == "/rerank" and len(body[name]) > TEI_BATCH:
            return self._send(413, {"error": "batch size", "error_type": "Validation"})
        scores = [relevance(body["query"], text) for text in body[name]]
        order = sorted(range(len(scores)), key=lambda n: -scores[n])
        order = order[: body.get("top_n", len(order))]
        if path == "/rerank":
            return self._send(200, [{"index": n, "score": scores[n]} for n in order])
        results = [{"index": n, "relevance_score": scores[n]} for n in order]
        meta = {"meta": {"api_version": {"version": "2"}}} if path[:3] == "/v2" else {"usage": {}}
        return self._send(200, {"id": "1", "results": results, **meta})

    def _trouble(self, how, body):
        num = self.counts[how] = self.counts.get(how, 0) + 1
        rows = [{"index": n, "score": 0.5} for n in range(len(body["texts"]))]
        if how.isdigit():
            return self._send(int(how), {"error": f"you said {body['query']}"})
        if how == "busy" and num < 3:
            return self._send(429, {}, {"Retry-After": "2"})
        if how == "slow":
            time.sleep(1)
        if how == "html":
            return self._send(200, None, raw=b"<html>hello</html>")
        replies = {
            "few": rows[:-1],
            "twice": [rows[0], *rows[:-1]],
            "text": [{**row, "score": "high"} for row in rows],
            "nan": [{**row, "score": float("nan")} for row in rows],
            "form": {"results": rows},
        }
        return self._send(200, replies.get(how, rows))

    def _send(self, status, value, headers=None, raw=None):
        content = raw if raw is not None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Keep quiet."""


if __name__ == "__main__":
    Service.key = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
