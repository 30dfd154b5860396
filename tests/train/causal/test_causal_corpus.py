"""Records, their tokens, and which of these are learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="training needs the extra 'train'")

from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import recipe, tiny

from aegle.core.errors import InputError
from aegle.core.text import SafeText
from aegle.train.causal.chat import Encoder
from aegle.train.causal.corpus import Record, Turn, read_corpus
from aegle.train.causal.grouping import spaces
from aegle.train.causal.recipe import Source


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny(tmp_path_factory.mktemp("tiny")))


def record(*turns: tuple[str, str]) -> Record:
    return Record("here", "g", tuple(Turn(role, SafeText(text, by="test")) for role, text in turns))


def encoder(tokenizer: Any, **told: Any) -> Encoder:
    return Encoder(
        tokenizer, **{"template": "auto", "max_tokens": 100, "overlong": "error", **told}
    )


def test_only_answers_are_learned_token_by_token(tokenizer: Any) -> None:
    one = record(
        ("system", "Be."), ("user", "hi?"), ("assistant", "yo"), ("user", "b"), ("assistant", "ok!")
    )
    (found,) = encoder(tokenizer)(one)
    start, end = "<|im_start|>", "<|im_end|>"
    wanted = [
        (f"{start}system\nBe.{end}\n{start}user\nhi?{end}\n{start}assistant\n", False),
        (f"yo{end}", True),
        (f"\n{start}user\nb{end}\n{start}assistant\n", False),
        (f"ok!{end}", True),
    ]
    ids, learned = [], []
    for text, learns in wanted:
        some = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in some
        ids += some
        learned += [learns] * len(some)
    assert list(found.ids) == ids
    assert list(found.learned) == learned


def test_plain_and_text_end_with_the_end_of_text(tokenizer: Any) -> None:
    (found,) = encoder(tokenizer, template="plain")(record(("user", "ab"), ("assistant", "cd")))
    assert tokenizer.decode(found.ids) == "abcd<|endoftext|>"
    assert found.learned == (False, False, True, True, True)
    (found,) = encoder(tokenizer)(record(("text", "abc")))
    assert tokenizer.decode(found.ids) == "abc<|endoftext|>"
    assert found.learned == (False, True, True, True), "the first has nothing to be predicted from"


def test_a_template_of_its_own_counts(tokenizer: Any) -> None:
    own = "{% for m in messages %}{{ m['role'][0] + ':' + m['content'] + ' ' }}{% endfor %}"
    own += "{% if add_generation_prompt %}a:{% endif %}"
    tokenizer.chat_template = own
    try:
        (found,) = encoder(tokenizer)(record(("user", "x"), ("assistant", "y")))
        assert tokenizer.decode(found.ids) == "u:x a:y"
        assert found.learned == (False,) * 6 + (True,)
        tokenizer.chat_template = "{{ messages | length }}"
        with pytest.raises(InputError, match="in another way"):
            list(encoder(tokenizer)(record(("user", "x"), ("assistant", "y"))))
        tokenizer.chat_template = "{{ raise_exception('no') }}"
        with pytest.raises(InputError, match="refuses it"):
            list(encoder(tokenizer)(record(("user", "x"), ("assistant", "y"))))
    finally:
        tokenizer.chat_template = None


def test_without_a_token_for_the_end_of_a_turn_the_end_of_text_is_learned(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = tiny(tmp_path)
    kept = json.loads((folder / "tokenizer.json").read_text())
    kept["added_tokens"] = [one for one in kept["added_tokens"] if "im_" not in one["content"]]
    for name in ("<|im_start|>", "<|im_end|>"):
        kept["model"]["vocab"].pop(name)
    (folder / "tokenizer.json").write_text(json.dumps(kept))
    about = json.loads((folder / "tokenizer_config.json").read_text())
    for key in ("additional_special_tokens", "extra_special_tokens", "added_tokens_decoder"):
        about.pop(key, None)
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    bare = AutoTokenizer.from_pretrained(str(folder))
    made = encoder(bare)
    (found,) = made(record(("user", "ab"), ("assistant", "cd")))
    assert found.ids[-1] == bare.eos_token_id
    assert found.learned[-1]
    assert made.name == encoder(bare).name == "ChatML", "also where it was set before"
    bare.save_pretrained(tmp_path / "kept")
    assert AutoTokenizer.from_pretrained(str(tmp_path / "kept")).chat_template == made.template


def test_too_long_is_an_error_cut_or_split(tokenizer: Any) -> None:
    one = record(("text", "abcdefgh"))
    with pytest.raises(InputError, match=r"9 tokens, more than max_tokens \(4\)"):
        list(encoder(tokenizer, max_tokens=4)(one))
    cut = encoder(tokenizer, max_tokens=4, overlong="cut")
    assert [len(some) for some in cut(one)] == [4]
    assert cut.cut == 1
    parts = list(encoder(tokenizer, max_tokens=4, overlong="split")(one))
    assert [tokenizer.decode(some.ids) for some in parts] == ["abcd", "efgh"]
    with pytest.raises(InputError, match="beyond max_tokens"):
        list(
            encoder(tokenizer, max_tokens=16, overlong="cut")(
                record(("user", "a"), ("assistant", "b"))
            )
        )


def lines(*told: Any) -> str:
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in told)


GOOD = [{"prompt": f"q{n}", "completion": "a", "group": n} for n in range(8)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("{", "line 1 is not JSON"),
        ("3", "is no object"),
        (lines({"prompt": "a", "completion": " "}), "line 1: the text of the assistant is empty"),
        (lines({"prompt": "a"}), "completion is a string"),
        (lines({"words": "a"}), "has 1 other key; a record has messages"),
        (lines({"Jane Roe, 41": 1, "b": 2, "group": 3}), "has group and 2 other keys; a record"),
        (lines({"messages": []}), "is a list of objects"),
        (lines({"messages": [{"role": "me", "content": "a"}]}), "role is one of"),
        (lines({"messages": [{"role": "user", "content": "a"}]}), "nothing to learn"),
        (lines(*GOOD, *GOOD), "line 9 says the same as train.jsonl, line 1"),
        (lines(GOOD[0]), "nothing is left for"),
    ],
)
def test_bad_data_is_named_by_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "train.jsonl").write_text(text)
    with pytest.raises(InputError) as caught:
        read_corpus(recipe(tmp_path), tmp_path)
    assert says in str(caught.value)


def test_dev_is_of_other_groups_and_nothing_of_it_is_trained_on(tmp_path: Path) -> None:
    told = [{"prompt": f"q{n}", "completion": "a", "group": n // 3} for n in range(60)]
    (tmp_path / "train.jsonl").write_text(lines(*told, told[7]))
    found = read_corpus(recipe(tmp_path, duplicates="drop"), tmp_path)
    train, dev = ({one.group for one in part} for part in (found.train, found.dev))
    assert train & dev == set()
    assert len(found.train) + len(found.dev) == 60
    (tmp_path / "dev.jsonl").write_text(lines(*told[:4]))
    source = {"train": "train.jsonl", "dev": "dev.jsonl", "licence": "l", "safe_because": "s"}
    found = read_corpus(recipe(tmp_path, duplicates="drop", data=[source]), tmp_path)
    assert (len(found.train), len(found.dev)) == (54, 4)
    assert found.dropped == {"duplicates": 1, "held out": 6}, "all of the groups 0 and 1"


def test_no_group_of_dev_is_trained_on_from_another_file(tmp_path: Path) -> None:
    some = [{"prompt": f"q{n}", "completion": "a", "group": f"p{n % 9}"} for n in range(36)]
    more = [{"prompt": f"r{n}", "completion": "a", "group": f"p{n % 9}"} for n in range(36)]
    (tmp_path / "a.jsonl").write_text(lines(*some))
    (tmp_path / "b.jsonl").write_text(lines(*more))
    about = {"licence": "l", "safe_because": "s"}
    sources = [{"train": f"{n}.jsonl", "share": s, **about} for n, s in (("a", 0.1), ("b", 0.6))]
    found = read_corpus(recipe(tmp_path, data=sources), tmp_path)
    assert not {one.group for one in found.train} & {one.group for one in found.dev}
    assert found.dropped["held out"] > 0
    (tmp_path / "b.jsonl").write_text(lines(*more, some[0]))
    with pytest.raises(InputError, match=r"b.jsonl, line 37 says the same as a.jsonl, line 1"):
        read_corpus(recipe(tmp_path, data=[{**one, "share": 1e-9} for one in sources]), tmp_path)


def test_a_system_message_is_put_in_front(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(lines(*GOOD))
    source = {"train": "train.jsonl", "share": 0.5, "system": "Be.", "licence": "l"}
    found = read_corpus(recipe(tmp_path, data=[{**source, "safe_because": "s"}]), tmp_path)
    assert {one.turns[0].text for one in found.train} == {"Be."}


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer that puts a token in front of each text, as Llama's and Gemma's do."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(tiny(tmp_path_factory.mktemp("beginning")))
    found.bos_token = "<|im_start|>"
    special = [("<|im_start|>", found.bos_token_id)]
    found.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=special
    )
    assert found("ab")["input_ids"][0] == found.bos_token_id
    return found


@pytest.mark.parametrize("template", ["auto", "plain"])
def test_a_text_begins_as_the_tokenizer_begins_it(beginning: Any, template: str) -> None:
    (found,) = encoder(beginning, template=template)(record(("text", "ab c")))
    assert list(found.ids) == [*beginning("ab c")["input_ids"], beginning.eos_token_id]
    assert found.learned == (False, *[True] * 5)


def test_each_part_of_a_text_begins_so(beginning: Any) -> None:
    parts = list(encoder(beginning, max_tokens=4, overlong="split")(record(("text", "abcdefg"))))
    first = beginning.bos_token_id
    assert [one.ids[0] for one in parts] == [first] * 3
    assert [len(one) for one in parts] == [4, 4, 3]
    ids = [token for one in parts for token in one.ids[1:]]
    assert ids == [*beginning("abcdefg")["input_ids"][1:], beginning.eos_token_id]
    assert all(one.learned == (False, *[True] * (len(one) - 1)) for one in parts)


def test_a_plain_prompt_begins_so_whether_it_is_learned_from_or_asked(beginning: Any) -> None:
    from aegle.train.causal.examples import last_answer, record_prompt

    encode = encoder(beginning, template="plain")
    one = record(("user", "a?"), ("assistant", "b"))
    prompt = record_prompt(encode, one)
    assert list(prompt) == beginning("a?")["input_ids"]
    assert last_answer(encode, one).ids[: len(prompt)] == prompt
    assert last_answer(encode, one).learned.index(True) == len(prompt)


def test_chatml_of_such_a_tokenizer_begins_so_once(beginning: Any) -> None:
    beginning.chat_template = None
    beginning.bos_token = "Z"  # a token that ChatML doesn't write itself
    try:
        from tokenizers.processors import TemplateProcessing

        single = TemplateProcessing(single="Z $A", special_tokens=[("Z", beginning.bos_token_id)])
        beginning.backend_tokenizer.post_processor = single
        (found,) = encoder(beginning)(record(("user", "b"), ("assistant", "c")))
        assert list(found.ids[:2]) == beginning.convert_tokens_to_ids(["Z", "<|im_start|>"])
        own = beginning.apply_chat_template(
            [{"role": "user", "content": "b"}], add_generation_prompt=True, return_dict=False
        )
        assert list(found.ids[: len(own)]) == list(own)
    finally:
        beginning.chat_template = None


def numbered(folder: Path, key: str, **more: Any) -> Any:
    """Two files whose groups have the same numbers, and a dev file of the first."""
    for name in "ab":
        rows = [{"prompt": f"{name}{n}", "completion": "x", key: n % 9} for n in range(36)]
        (folder / f"{name}.jsonl").write_text(lines(*rows))
    (folder / "dev.jsonl").write_text(lines({"prompt": "d", "completion": "x", key: 3}))
    about = {"licence": "l", "safe_because": "s", "group": key, **more}
    first = {"train": "a.jsonl", "dev": "dev.jsonl", **about}
    return [first, {"train": "b.jsonl", "share": 1e-9, **about}]


@pytest.mark.parametrize(
    ("key", "more", "lost"),
    [
        ("group", {}, 4),  # the first file's own
        ("group", {"groups": "shared"}, 8),
        ("patient_id", {}, 8),
        ("patient_id", {"groups": "own"}, 4),
    ],
)
def test_numbers_of_groups_are_a_file_s_own_but_those_of_patients(
    tmp_path: Path, key: str, more: dict[str, Any], lost: int
) -> None:
    found = read_corpus(recipe(tmp_path, data=numbered(tmp_path, key, **more)), tmp_path)
    assert found.dropped["held out"] == lost
    assert not {one.group for one in found.train} & {one.group for one in found.dev}


def test_sources_that_share_a_file_share_its_numbers(tmp_path: Path) -> None:
    """Else a group of the common dev file would be trained on from the second."""
    sources = numbered(tmp_path, "group")
    sources[1] = {**sources[1], "dev": "dev.jsonl"}
    found = read_corpus(recipe(tmp_path, data=sources), tmp_path)
    assert found.dropped["held out"] == 8


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwx")), max_size=6))
def test_spaces_are_the_parts_that_files_join(pairs: list[tuple[str, str]]) -> None:
    """Against a search through sources that share a file."""
    about = {"licence": "l", "safe_because": "s"}
    found = spaces([Source(train=train, dev=dev, **about) for train, dev in pairs])
    for start in found:
        seen, todo = set(), [start]
        while todo:
            one = todo.pop()
            seen.add(one)
            todo += [n for pair in pairs if one in pair for n in pair if n not in seen]
        assert {name for name in found if found[name] == found[start]} == seen
