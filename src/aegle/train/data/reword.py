"""Other words for the same: what a writer does who repeats a sentence, by rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from aegle.lm.opposites import NUMBER_WORDS

_SAME: Final = tuple(
    tuple(one.strip() for one in row.split("|"))
    for row in """due to | because of | owing to
        associated with | linked to | related to
        demonstrated | showed | found
        demonstrates | shows
        approximately | about | around | roughly
        such as | for example | like
        including | among them
        prior to | before
        patients | subjects | individuals
        children | kids
        physician | doctor
        elevated | raised | high
        begin | start
        obtain | get
        utilize | use | employ
        utilizes | uses | employs
        used | utilized | employed
        execute | run
        executes | runs
        adversaries | attackers | threat actors
        adversary | attacker
        attacker | malicious actor
        collect | gather
        collects | gathers
        a number of | several
        usually | typically | generally
        often | frequently
        can | is able to
        help | assist
        treatment | therapy
        disease | disorder | illness
        tumor | tumour | neoplasm
        heart attack | myocardial infarction
        high blood pressure | hypertension
        stroke | cerebrovascular accident
        kidney | renal
        shortness of breath | dyspnea
        fever | pyrexia
        denies | does not report | has no
        no evidence of | without evidence of
        does not | doesn't
        did not | didn't
        cannot | can't
        is not | isn't
        exfiltrate | steal
        malicious | harmful
        C2 | command and control
        credentials | account data
        vulnerability | weakness | flaw
        important | key | crucial
        mortality | death rate
        medication | medicine | drug
        medications | medicines | drugs
        enhances | boosts
        reduces | lowers | decreases
        reduced | lowered | decreased
        increased | raised | elevated
        also | additionally
        however | but
        risk of | chance of
        suggest | indicate
        suggests | indicates
        leads to | results in
        led to | resulted in
        is caused by | results from
        years old | years of age
        rapidly | quickly
        entire | whole
        large | big
        primarily | mainly | mostly
        via | through | by means of
        within | inside
        during | in the course of""".splitlines()
)
_OPENER: Final = re.compile(
    r"^(?:(?:However|Moreover|Furthermore|In addition|Additionally|In conclusion|In summary|Thus|"
    r"Therefore|Finally|Here|Hence|Overall|Interestingly|Importantly|Notably|Conversely|Also|"
    r"In contrast|Taken together|Together|Consequently|Indeed),? )?"
    r"(?:(?:we|our (?:results|findings|data|study|work)|these (?:results|findings|data)|this study|"
    r"the (?:results|findings|data|present study)|results|it was|it is)"
    r" (?:have |has |also |further )?(?:show|suggest|indicate|demonstrate|find|found|conclude|"
    r"report|reveal|shown|noted|concluded)(?:s|d|ed)? (?:here )?that )?",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(r" \((?![^)]*\()[^)]{1,80}\)")
_TAIL: Final = re.compile(
    r", (?:which|including|such as|suggesting|indicating|as well as|particularly|especially|"
    r"leading to|making|allowing|where|while|whereas|but|although|and this|and may|and can)\b"
    r"[^,;]{8,}\.$"
)
_FRONT: Final = re.compile(
    r"^((?:In|During|After|Before|For|Among|At|On|By|With|Within|Through|Using|Upon) [^,;]{6,60}), "
    r"([^,;]{15,})\.$"
)
_ADVERB: Final = re.compile(
    r" (?:significantly|also|generally|typically|often|usually|very|highly|"
    r"potentially|particularly|specifically|strongly|directly|directly)\b"
)
_DEFINED: Final = re.compile(r"\b((?:[A-Za-z][\w-]* ){1,6})\(([A-Z][A-Za-z]{1,6})\)")


def opener(text: str, rng: np.random.Generator) -> str:
    """Without ``However,`` or ``We found that``."""
    del rng
    rest = text[_OPENER.match(text).end() :]  # type: ignore[union-attr]
    return rest[:1].upper() + rest[1:]


def aside(text: str, rng: np.random.Generator) -> str:
    """Without what stands in brackets."""
    del rng
    return _ASIDE.sub("", text)


def tail(text: str, rng: np.random.Generator) -> str:
    """Without a last clause."""
    del rng
    shorter = _TAIL.sub(".", text)
    return shorter if len(shorter.split()) >= 6 else text


def front(text: str, rng: np.random.Generator) -> str:
    """With what stands in front behind: ``In mice, X grows.`` -> ``X grows in mice.``"""
    del rng
    match = _FRONT.match(text)
    if match is None:
        return text
    first, rest = match[1], match[2]
    return f"{rest[0].upper()}{rest[1:]} {first[0].lower()}{first[1:]}."


def adverb(text: str, rng: np.random.Generator) -> str:
    """Without adverbs that only colour it."""
    del rng
    return _ADVERB.sub("", text)


def synonyms(text: str, rng: np.random.Generator) -> str:
    """Some words for others of the same meaning."""
    for row in _SAME:
        for word in row:
            pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
            if word in text and re.search(pattern, text):
                if rng.random() < 0.7:
                    others = [one for one in row if one != word]
                    text = re.sub(pattern, str(rng.choice(others)), text, count=1)
                break
    return text


def spelled(text: str, rng: np.random.Generator) -> str:
    """Small numbers in words, or in digits."""
    del rng

    def word(match: re.Match[str]) -> str:
        value = int(match.group())
        return NUMBER_WORDS[value] if value < len(NUMBER_WORDS) else match.group()

    other = re.sub(r"(?<![\w.,/%$-])(?:[2-9]|1[0-2])(?= [a-z]{3,})", word, text)
    if other != text:
        return other
    table = {w: str(n) for n, w in enumerate(NUMBER_WORDS) if n >= 2}
    return re.sub(rf"\b(?:{'|'.join(table)})\b", lambda m: table[m.group()], text)


RULES: Final[Mapping[str, Callable[[str, np.random.Generator], str]]] = {
    "opener": opener,
    "aside": aside,
    "tail": tail,
    "front": front,
    "adverb": adverb,
    "synonyms": synonyms,
    "spelled": spelled,
}


def reword(text: str, rng: np.random.Generator, *, rate: float = 0.6) -> str:
    """A text after some of the rules, each taken with this probability."""
    for rule in RULES.values():
        if rng.random() < rate:
            text = rule(text, rng)
    return text


def definitions(text: str) -> dict[str, str]:
    """Short form -> long form of what a text defines as ``long form (LF)``.

    After Schwartz & Hearst (2003): the initials of the last words are the letters.
    """
    found = {}
    for match in _DEFINED.finditer(text):
        short, words = match[2], match[1].split()
        letters = [one for one in short.lower() if one.isalpha()]
        some = words[-len(letters) :]
        if len(some) == len(letters) >= 2 and all(
            word[0].lower() == letter for word, letter in zip(some, letters, strict=True)
        ):
            found[short] = " ".join(some)
    return found


def abbreviate(text: str, known: Mapping[str, str], rng: np.random.Generator) -> str:
    """Short forms for long ones and the other way round, as the document defines them."""
    for short, long in known.items():
        if rng.random() < 0.5:
            continue
        both = f"{long} ({short})"
        if both in text:
            text = text.replace(both, short if rng.random() < 0.5 else long)
        elif re.search(rf"\b{re.escape(short)}\b", text):
            text = re.sub(rf"\b{re.escape(short)}\b", long, text)
        else:
            text = text.replace(long, short)
    return text
