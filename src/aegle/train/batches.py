"""Examples as batches of windows: ids, masks, and the tags of the words that each decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText
from aegle.lm.pieces import Ints, Pieces, Window, owners, pieces, windows
from aegle.lm.spans import tags_of
from aegle.lm.tagger import fill
from aegle.train.mentions import Mentions, Text, collect, of_class, of_pairs, of_spans

SPECIAL: Final = 1
"""Special tokens before a window's pieces, and as many after."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one task.

    Attributes:
        task: whose head learns from it.
        ids_BS: token ids with special tokens, padded.
        mask_BS: 1 where attended.
        cases_BS: how words are written.
        rows_N: the window of each word that is decided here.
        places_N: where in the window its first piece stands.
        tags_N: its tag.
        words_N2: its text and its number there.
        mentions: what the heads beside the tags learn from, if any does.
        kind: of the task.
        pairs: the pair head that learns from its mentions, if any.
    """

    task: str
    ids_BS: Ints
    mask_BS: Ints
    cases_BS: Ints
    rows_N: Ints
    places_N: Ints
    tags_N: Ints
    words_N2: Ints
    mentions: Mentions | None = None
    kind: str = "tags"
    pairs: str = ""


def plain_name(number: int) -> str:
    """In the place of a task: the recipe's texts without labels of this number."""
    return f"unlabelled {number}"


class TagData:
    """A corpus in pieces, cut into windows once.

    Args:
        task: name of the head.
        examples: the corpus.
        labels: of the task, in order.
        tokenizer: of the base.
        size: most pieces of a window, special tokens not counted.
        overlap: pieces that neighbouring windows share.
        kind: of the task; "plain" for texts without labels.
        pairs: the pair head that learns from the examples' pairs, if any.
        relations: its labels.
    """

    def __init__(
        self,
        task: str,
        examples: Sequence[Example],
        *,
        labels: Sequence[str],
        tokenizer: Tokenizer,
        size: int,
        overlap: int,
        kind: str = "tags",
        pairs: str = "",
        relations: Sequence[str] = (),
    ) -> None:
        self.kind, self.pairs, self.relations = kind, pairs, tuple(relations)
        self.task, self.examples, self.labels = task, list(examples), tuple(labels)
        self.ends = special_ids(tokenizer)
        self.texts = pieces(tokenizer, [one.text for one in examples])
        self.cut: list[Window] = list(windows(self.texts, size=size, overlap=overlap))
        self.owned = owners(self.texts, self.cut)
        place = {name: number for number, name in enumerate(labels)}
        self.tags: list[Ints] = []
        self.lost = 0
        for one, text in zip(examples, self.texts, strict=True):
            spans = [
                (label.start, label.end, place[label.label])
                for label in one.labels
                if kind == "tags"
            ]
            tags, lost = tags_of(text.spans_W2, spans)
            self.tags.append(tags)
            self.lost += lost
        self.told = [
            self._told(one, text, place)
            for one, text in zip(self.examples, self.texts, strict=True)
            if kind in ("span", "text") or pairs
        ]

    def _told(self, one: Example, text: Pieces, place: Mapping[str, int]) -> Text:
        if self.kind == "span":
            return of_spans(one, text, place)
        if self.kind == "text":
            return of_class(one, text, place)
        return of_pairs(one, text, {name: n for n, name in enumerate(self.relations)}, place)

    def batches(self, *, size: int, seed: int | None) -> Iterator[Batch]:
        """All windows once, those of like length together.

        Args:
            size: padded pieces in a batch, about.
            seed: of the order of windows and batches; None keeps lengths in order.
        """
        for group in self._groups(size, seed):
            yield self._batch(group)

    def count(self, *, size: int) -> int:
        """How many batches there are, about: their number varies a little with the seed."""
        return len(self._groups(size, 0))

    def _groups(self, size: int, seed: int | None) -> list[list[int]]:
        """The windows of each batch."""
        lengths = np.array([window.end - window.start for window in self.cut])
        order: Ints = np.arange(len(lengths))
        rng = np.random.default_rng(seed) if seed is not None else None
        if rng is not None:
            rng.shuffle(order)
        # Sorting all windows by length would make the same batches in each epoch.
        noisy = lengths[order] * (rng.uniform(0.8, 1.25, len(order)) if rng is not None else 1)
        order = order[np.argsort(noisy, kind="stable")]
        groups: list[list[int]] = []
        group: list[int] = []
        longest = 0
        for number in order.tolist():
            length = int(lengths[number]) + 2 * SPECIAL
            if group and max(longest, length) * (len(group) + 1) > size:
                groups.append(group)
                group, longest = [], 0
            group.append(number)
            longest = max(longest, length)
        if group:
            groups.append(group)
        if rng is not None:
            groups = [groups[i] for i in rng.permutation(len(groups))]
        return groups

    def class_counts(self) -> Ints:
        """How often each tag occurs."""
        joined = np.concatenate(self.tags) if self.tags else np.zeros(0, np.int64)
        return np.bincount(joined, minlength=1 + 2 * len(self.labels))

    def _batch(self, group: Sequence[int]) -> Batch:
        longest = max(self.cut[number].end - self.cut[number].start for number in group)
        shape = (len(group), longest + 2 * SPECIAL)
        ids, mask, cases = (np.zeros(shape, np.int64) for _ in range(3))
        ids[:] = self.ends[2]
        rows, places, tags, words = [], [], [], []
        for row, number in enumerate(group):
            window, owned = self.cut[number], self.owned[number]
            fill(ids[row], mask[row], cases[row], self.texts[window.text], window, self.ends)
            first = self.texts[window.text].first_W
            which = np.searchsorted(first, owned + window.start)
            rows.append(np.full(len(owned), row))
            places.append(owned + SPECIAL)
            tags.append(self.tags[window.text][which])
            words.append(np.stack([np.full(len(which), window.text), which], 1))
        cut = [self.cut[number] for number in group]
        told = collect(self.told, self.texts, cut, whole=self.kind == "text") if self.told else None
        return Batch(
            self.task,
            ids,
            mask,
            cases,
            np.concatenate(rows).astype(np.int64),
            np.concatenate(places),
            np.concatenate(tags),
            np.concatenate(words),
            told,
            self.kind,
            self.pairs,
        )


def special_ids(tokenizer: Tokenizer) -> tuple[int, int, int]:
    """(first, last, padding) token of a window."""
    ids = tokenizer.encode("").ids
    names = ("[PAD]", "<pad>")
    pads = [tokenizer.token_to_id(name) for name in names]
    pad = next((one for one in pads if one is not None), 0)
    return ids[0], ids[-1], pad


def with_context(examples: Sequence[Example], words: int) -> list[Example]:
    """Neighbouring examples of a group joined by newlines, up to so many words."""
    joined: list[list[Example]] = []
    count = 0
    for one in examples:
        length = len(one.text.split())
        if joined and joined[-1][0].group == one.group and count + length <= words:
            joined[-1].append(one)
            count += length
        else:
            joined.append([one])
            count = length
    return [_join(some) if len(some) > 1 else some[0] for some in joined]


def _join(some: Sequence[Example]) -> Example:
    labels: list[Label] = []
    pairs: list[Pair] = []
    things: list[tuple[int, ...]] = []
    at = 0
    for one in some:
        first = len(labels)
        labels += [Label(at + label.start, at + label.end, label.label) for label in one.labels]
        pairs += [Pair(_moved(p.head, first), _moved(p.tail, first), p.label) for p in one.pairs]
        things += [_moved(thing, first) for thing in one.things]
        at += len(one.text) + 1
    text = SafeText("\n".join(one.text for one in some), by="joined")
    name = f"{some[0].id}+{len(some) - 1}"
    return Example(name, some[0].group, text, tuple(labels), tuple(pairs), tuple(things))


def _moved(places: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(place + by for place in places)


def mixed(
    data: Mapping[str, TagData],
    *,
    size: int,
    temperature: float,
    seed: int,
    shares: Mapping[str, float] | None = None,
) -> Iterator[Batch]:
    """One epoch over several corpora: each step's corpus is drawn by its size to a power.

    As many steps as all corpora have batches, the same in each epoch; a corpus that runs out begins
    anew in another order.
    A share makes a corpus count for so many times its size.
    """
    names = sorted(data)
    counts = np.array([data[name].count(size=size) for name in names], float)
    share = np.array([(shares or {}).get(name, 1.0) for name in names])
    weights = counts**temperature * share
    steps = max(1, round(float(np.sum(counts * share))))
    rng = np.random.default_rng(seed)
    running: dict[str, Iterator[Batch]] = {}
    rounds = dict.fromkeys(names, 0)
    for pick in rng.choice(len(names), size=steps, p=weights / weights.sum()):
        name = names[pick]
        batch = next(running.get(name, iter(())), None)
        if batch is None:
            order = seed * 1000 + rounds[name]
            rounds[name] += 1
            running[name] = data[name].batches(size=size, seed=order)
            batch = next(running[name])
        yield batch
