"""Sentences and words: exact, complete, and cut where a clinician or an analyst would cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.segment import sentences, tokens
from linear import grows_linearly

WRITTEN = st.text(
    st.sampled_from(list("abcXYZ019 \n\n\t.,:;!?-*()[]'\"=/\r\f。é\u2028\u00a0日_#|<>")),
    max_size=300,
)


def cut(text):
    return [text[span.start : span.end] for span in sentences(text)]


@given(st.one_of(WRITTEN, st.text(max_size=200)))
def test_sentences_hold_every_visible_character_once(text):
    covered = 0
    for span in sentences(text):
        assert text[covered : span.start].strip() == ""
        piece = text[span.start : span.end]
        assert piece == piece.strip()
        covered = span.end
    assert text[covered:].strip() == ""


@given(st.one_of(WRITTEN, st.text(max_size=200)))
def test_tokens_hold_every_letter_and_digit_once(text):
    covered = 0
    for span in tokens(text):
        assert not any(one.isalnum() for one in text[covered : span.start])
        assert not text[span.start : span.end].isspace()
        covered = span.end
    assert not any(one.isalnum() for one in text[covered:])


@given(st.lists(st.sampled_from(["No fever.", "He left!", "Was it sent?"]), min_size=1))
def test_plain_sentences_are_cut_at_their_stops(parts):
    assert cut(" ".join(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "Seen by Dr. Smith and Mr. J. Doe.",
        "He takes metoprolol 25 mg b.i.d. and aspirin 81 mg q.d. for angina.",
        "Give antibiotics, e.g. amoxicillin, i.e. a penicillin.",
        "See Fig. 3 and No. 4 on p. 12.",
        "The pt. denies pain.",
        "Potassium was 3.5 mmol/L, version 1.2.3 ran on 10.0.0.1.",
        "It called https://a.example/x.php?q=1.2 at night.",
        "Nginx 1.25.3 was compared vs. Apache.",
        "John F. Kennedy was admitted.",
    ],
)
def test_stops_inside_a_sentence(text):
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "text, parts",
    [
        ("He takes aspirin q.d. She does not.", ["He takes aspirin q.d.", "She does not."]),
        ("Fever? No. Cough? Yes.", ["Fever?", "No.", "Cough?", "Yes."]),
        ("Has hepatitis C. She left.", ["Has hepatitis C.", "She left."]),
        ("Is stable. denies pain.", ["Is stable.", "denies pain."]),
        ("He is 55. She is 60.", ["He is 55.", "She is 60."]),
        ("BP 120/80. Pulse 70.", ["BP 120/80.", "Pulse 70."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("熱がある。咳はない。", ["熱がある。", "咳はない。"]),
    ],
)
def test_stops_between_sentences(text, parts):
    assert cut(text) == parts


WRAPPED = (
    "The patient is a 55 year old man who was seen for chest pain that radiates to\n"
    "Boston-trained cardiologists' offices and was then sent home by the attending\n"
    "physician on call."
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_wrapped_line_goes_on(newline):
    text = WRAPPED.replace("\n", newline)
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "HPI:\nChest pain since Monday",
        "PAST MEDICAL HISTORY\nDiabetes mellitus type 2",
        "- aspirin 81 mg\n- metformin 500 mg",
        "1. Start aspirin\n2. Stop statin",
        "Aspirin 81 mg daily\nmetformin 500 mg bid",
        "Host: icu3-gw01\nOwner: biomedical engineering",
        "Jan 12 10:00:01 gw sshd[1]: Failed password for root from 10.0.0.1 port 22 ssh2\n"
        "Jan 12 10:00:02 gw sshd[1]: Failed password for root from 10.0.0.1 port 22 ssh2",
        '{"event": "login", "user": "svc-backup", "host": "icu3-gw01", "ok": false, "n": 1}\n'
        '{"event": "login", "user": "svc-backup", "host": "icu3-gw01", "ok": false, "n": 2}',
        "src=10.0.0.1 dst=10.0.0.2 action=allow bytes=12345 rule=outbound-web-traffic proto=tcp\n"
        "src=10.0.0.1 dst=10.0.0.3 action=allow bytes=12345 rule=outbound-web-traffic proto=tcp",
    ],
)
def test_a_line_that_stands_alone(text):
    assert cut(text) == text.split("\n")


def test_a_blank_line_ends_a_sentence():
    assert cut("no stop here\n \nnor here") == ["no stop here", "nor here"]


def test_words():
    text = "BP 120/80, 3,000 mg q.d.; follow-up fever/chills 12:30 at 10.0.0.1 (O'Neil's)."
    assert [text[s.start : s.end] for s in tokens(text)] == [
        *("BP", "120/80", "3,000", "mg", "q.d", "follow-up", "fever", "chills", "12:30", "at"),
        *("10.0.0.1", "O'Neil's"),
    ]


@pytest.mark.parametrize(
    ("unit", "size"),
    [("a. ", 90_000), (".", 60_000), ("A ", 80_000), ("x\n", 60_000), ("- ", 80_000), ("a", 10**6)],
)
def test_time_grows_with_the_text_only(unit, size):
    assert grows_linearly(lambda text: (sentences(text), tokens(text)), unit, size)
