"""LightRAG's half of `indexing_cost`, in a Python that has lightrag-hku; imports nothing of ours.

Its tokenizer would be fetched from the network, so words and signs are counted as tokens.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from lightrag import LightRAG
from lightrag.utils import EmbeddingFunc, Tokenizer


class Words:
    """A tokenizer of words and signs, each with the space before it."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.words: list[str] = []

    def __deepcopy__(self, memo: Any) -> Words:
        return self

    def encode(self, content: str) -> list[int]:
        """Numbers of the words."""
        found = []
        for word in re.findall(r"\s*(?:\w+|[^\w\s])|\s+", content):
            if word not in self.known:
                self.known[word] = len(self.words)
                self.words.append(word)
            found.append(self.known[word])
        return found

    def decode(self, tokens: list[int]) -> str:
        """The text again."""
        return "".join(self.words[token] for token in tokens)


def post(url: str, body: dict[str, Any]) -> Any:
    """Ask a server."""
    sent = json.dumps(body).encode()
    request = urllib.request.Request(url, sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=3600) as reply:
        return json.loads(reply.read())


async def main() -> None:
    """Index the texts; the last line is one JSON object."""
    texts, url, width = json.loads(Path(sys.argv[1]).read_text("utf-8")), sys.argv[2], sys.argv[3]

    async def generate(
        prompt: str, system_prompt: str | None = None, history_messages: Any = (), **_: Any
    ) -> str:
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        messages = [*system, *(history_messages or ()), {"role": "user", "content": prompt}]
        reply = await asyncio.to_thread(post, f"{url}/chat/completions", {"messages": messages})
        return str(reply["choices"][0]["message"]["content"])

    async def embed(some: list[str], **_: Any) -> Any:
        reply = await asyncio.to_thread(post, f"{url}/embeddings", {"input": list(some)})
        return np.array([one["embedding"] for one in reply["data"]], np.float32)

    with tempfile.TemporaryDirectory() as folder:
        rag = LightRAG(
            working_dir=folder,
            llm_model_func=generate,
            embedding_func=EmbeddingFunc(int(width), embed, max_token_size=8192),
            tokenizer=Tokenizer("words", Words()),
            default_llm_timeout=3600,
        )
        await rag.initialize_storages()
        start = time.perf_counter()
        await rag.ainsert("\n\n".join(texts))
        seconds = time.perf_counter() - start
        graph = await rag.get_graph_labels()
        await rag.finalize_storages()
    print(json.dumps({"seconds": seconds, "entities": len(graph)}))


if __name__ == "__main__":
    asyncio.run(main())
