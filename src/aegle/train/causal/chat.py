"""Records as tokens: chat templates, and which tokens are learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.train.causal.corpus import Record, Turn

CHATML: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""What is used where a tokenizer has no template: ChatML without a system message of its own."""

_BEGINS: Final = "{{ bos_token }}"


def chatml(tokenizer: Any) -> str:
    """ChatML for a tokenizer; where its end of a turn isn't one token, the end of text ends one.
    It begins as the tokenizer begins a text."""
    end = tokenizer("<|im_end|>", add_special_tokens=False)["input_ids"]
    whole = len(end) == 1 and end[0] != tokenizer.unk_token_id
    found = CHATML if whole else CHATML.replace("'<|im_end|>'", "eos_token")
    return _BEGINS + found if opening(tokenizer) == (tokenizer.bos_token_id,) else found


def opening(tokenizer: Any) -> tuple[int, ...]:
    """The tokens that a tokenizer itself puts in front of a text: Llama's and Gemma's token of a
    beginning, without which they have never read one; of others none."""
    bare, whole = (
        tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True)
    )
    starts = range(len(whole) - len(bare) + 1)
    return tuple(whole[: next((at for at in starts if whole[at : at + len(bare)] == bare), 0)])


@dataclass(frozen=True, slots=True)
class Tokens:
    """A record as tokens.

    Attributes:
        ids: of the tokens.
        learned: of each, whether it is predicted; never the first.
        group: of the record.
    """

    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    group: str

    def __len__(self) -> int:
        return len(self.ids)


class Encoder:
    """Turns records into tokens.

    Pieces that are learned and pieces that aren't are tokenised apart, as they are when the model
    answers: its prompt is tokenised before there is an answer. What isn't written by a template
    begins as the tokenizer begins a text, and ends with the end of text; each part of a text that
    is split begins so, too.

    Args:
        tokenizer: of the base, of Transformers.
        template: auto (its chat template, else ChatML) or plain.
        max_tokens: of one text.
        overlong: error, cut or split.
    """

    def __init__(self, tokenizer: Any, *, template: str, max_tokens: int, overlong: str) -> None:
        self.tokenizer, self.max_tokens, self.overlong = tokenizer, max_tokens, overlong
        self.plain = template == "plain"
        fallback = chatml(tokenizer)
        if not self.plain and not tokenizer.chat_template:
            tokenizer.chat_template = fallback  # it is saved with what was trained on it
        self.template = tokenizer.chat_template or fallback
        own = "ChatML" if self.template == fallback else "the tokenizer's own"
        self.name = "plain" if self.plain else own
        self.cut = 0
        self._opening = opening(tokenizer)

    def __call__(self, record: Record) -> Iterator[Tokens]:
        """A record's tokens; several of a text that is split.

        Raises:
            InputError: too many tokens, a template that refuses, or an answer that was cut off.
        """
        ids = [*self.begins(record)]
        learned = [False] * len(ids)
        for text, learns in self.pieces(record):
            found = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += found
            learned += [learns] * len(found)
        if self._bare(record):
            ids.append(self._end())
            learned.append(True)
        yield from self._fit(record, ids, learned)

    def begins(self, record: Record) -> tuple[int, ...]:
        """The tokens in front of a record's `pieces`."""
        return self._opening if self._bare(record) else ()

    def pieces(self, record: Record) -> list[tuple[str, bool]]:
        """A record's text in pieces, and which of them are learned."""
        if record.turns[0].role == "text":
            return [(str(record.turns[0].text), True)]
        if self.plain:
            return [(str(turn.text), turn.role == "assistant") for turn in record.turns]
        found: list[tuple[str, bool]] = []
        done = ""
        for number, turn in enumerate(record.turns):
            if turn.role != "assistant":
                continue
            prompt = self._render(record, record.turns[:number], asking=True)
            whole = self._render(record, record.turns[: number + 1], asking=False)
            if not prompt.startswith(done) or not whole.startswith(prompt):
                raise InputError(
                    f"{record.place}: the chat template writes a conversation's beginning in "
                    "another way when it goes on, so answers can't be told from prompts; give the "
                    "base another template, or say template: plain"
                )
            ended = whole.rstrip()
            found += [(prompt[len(done) :], False), (ended[len(prompt) :], True)]
            done = ended
        return found

    def _render(self, record: Record, turns: Sequence[Turn], *, asking: bool) -> str:
        messages = [{"role": one.role, "content": str(one.text)} for one in turns]
        how = {"chat_template": self.template, "tokenize": False}
        try:
            return str(
                self.tokenizer.apply_chat_template(messages, add_generation_prompt=asking, **how)
            )
        except Exception as error:  # whatever a template's own code raises
            raise InputError(
                f"{record.place}: the chat template refuses it ({type(error).__name__}); roles "
                f"are {', '.join(one.role for one in turns)}"
            ) from error

    def _bare(self, record: Record) -> bool:
        """Whether no template writes its beginning and its end."""
        return self.plain or record.turns[0].role == "text"

    def _end(self) -> int:
        end = self.tokenizer.eos_token_id
        if end is None:
            raise InputError("the base's tokenizer has no end-of-text token; give it one")
        return int(end)

    def _fit(self, record: Record, ids: list[int], learned: list[bool]) -> Iterator[Tokens]:
        most = self.max_tokens
        if len(ids) <= most:
            yield self._tokens(record, ids, learned)
            return
        if self.overlong == "error":
            raise InputError(
                f"{record.place} has {len(ids)} tokens, more than max_tokens ({most}); raise "
                "max_tokens, or say overlong: cut"
            )
        self.cut += 1
        if self.overlong == "cut":
            before = sum(1 for _ in takewhile(lambda one: not one, learned))
            if before >= most:
                raise InputError(
                    f"{record.place}: the answer begins at token {before + 1}, beyond max_tokens "
                    f"({most}); raise max_tokens, or take it out"
                )
            yield self._tokens(record, ids[:most], learned[:most])
            return
        front = [*self.begins(record)]
        step, num = most - len(front), len(front)
        for start in range(num, len(ids), step):
            part = [*front, *ids[start : start + step]]
            if len(part) > 1:  # a single token has nothing to be predicted from
                yield self._tokens(record, part, [*learned[:num], *learned[start : start + step]])

    def _tokens(self, record: Record, ids: list[int], learned: list[bool]) -> Tokens:
        if not any(learned[1:]):
            raise InputError(f"{record.place}: no token of it is learned; take it out")
        return Tokens(tuple(ids), (False, *learned[1:]), record.group)
