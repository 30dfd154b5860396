"""How facts are asked for and told: templates by relation, in several wordings each.

``{head}`` and ``{tail}`` are what the graph relates, ``{patient}`` is whose chart it is, ``{name}``
and ``{value}`` are what was measured and what came out. What is asked for stands in ``asked``; when
there are several, a template gets them as one list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Asking:
    """A question about one relation.

    Attributes:
        relation, head, tails: type of the relation and types of its two ends.
        questions: wordings of the question.
        answers: wordings of what is told of it.
        asked: ``tail``, ``head`` or ``value``: what the question wants to know.
        bars: a passage that matches is never shown as one that does not answer.
        needs: what the sentences that state it must match.
    """

    relation: str
    head: str
    tails: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    asked: str = "tail"
    bars: str = ""
    needs: str = ""

    @property
    def about_patient(self) -> bool:
        """Whether the passages are of one chart, and need not name whose it is."""
        return self.head == "patient" or any("{patient}" in one for one in self.questions)

    @property
    def name(self) -> str:
        """For the card: ``controls``, or ``controls by tail`` when the head is asked for."""
        return self.relation if self.asked != "head" else f"{self.relation} by tail"

    def barred(self, text: str) -> bool:
        """Whether a passage may speak of what is asked for, in words that no rule read."""
        return bool(self.bars and re.search(self.bars, text, re.IGNORECASE))

    def fits(self, text: str) -> bool:
        """Whether the sentences say it in the words that the wording takes them to."""
        return not self.needs or bool(re.search(self.needs, text, re.IGNORECASE))


_DRUGS: Final = r"med(?:s|ic)|dose|\bm?c?g\b|\bmL\b|tablet|infus|gtt|drip|\bIV\b|\bPO\b|start|hung"
_PLACES: Final = r"ward|admit|locat|unit|bed|room|transfer|\b[A-Z]+-\d|\bED\b"
_ILLS: Final = r"condition|diagnos|problem|history|PMH|hx|impression|assess|admit|reason|known|with"
_LABS: Final = r"\blabs?\b|result|panel"

HEALTH: Final = (
    Asking(
        "allergic_to", "patient", ("allergy", "medication"),
        ("What is {head} allergic to?", "Which allergies does {head} have?",
         "Which allergies are recorded for {head}?", "Does {head} have allergies, and to what?"),
        ("{head} is allergic to {tail}", "The recorded allergy is {tail}"),
        bars=r"allerg|nka|reaction|intoleran|anaphyl",
    ),
    Asking(
        "takes", "patient", ("medication",),
        ("Which medications were ordered for {head}?", "What medication is {head} on?",
         "Which drugs does the record of {head} list?"),
        ("{tail} was ordered for {head}", "The record lists {tail}"), bars=_DRUGS,
    ),
    Asking(
        "has_dose", "medication", ("dose",),
        ("What dose of {head} does {patient} take?", "How much {head} is ordered for {patient}?",
         "At which dose is {patient} given {head}?"),
        ("The dose of {head} is {tail}", "{head} is given at {tail}", "{head} {tail} is ordered"),
    ),
    Asking(
        "has_result", "patient", ("lab",),
        ("What was the {name} of {head}?", "Which {name} was measured for {head}?",
         "What does the record of {head} say about the {name}?"),
        ("The {name} was {value}", "A {name} of {value} was measured"), "value", bars=_LABS,
    ),
    Asking(
        "has_vital", "patient", ("vital",),
        ("What was the {name} of {head}?", "Which {name} was recorded for {head}?"),
        ("The {name} was {value}", "A {name} of {value} was recorded"), "value",
        bars=r"vital|\bobs\b",
    ),
    Asking(
        "has_condition", "patient", ("condition",),
        ("Which conditions does {head} have?", "What diagnoses are recorded for {head}?",
         "What is {head} being treated for, according to the record?"),
        ("{head} has {tail}", "The recorded diagnosis is {tail}"), bars=_ILLS,
    ),
    Asking(
        "stays_in", "patient", ("ward",),
        ("On which ward is {head}?", "To which ward was {head} admitted?",
         "Where does {head} stay?"),
        ("{head} stays in {tail}", "The ward is {tail}"), bars=_PLACES,
    ),
    Asking(
        "uses_device", "patient", ("device",),
        ("Which device is used for {head}?", "To which device is {head} connected?",
         "Which medical device does the record of {head} name?"),
        ("{head} uses {tail}", "The device is {tail}"), bars=r"pump|monitor|vent|device|via",
    ),
    Asking(
        "cared_for_by", "patient", ("practitioner",),
        ("Who cares for {head}?", "Which practitioner is responsible for {head}?"),
        ("{head} is cared for by {tail}", "{tail} cares for {head}"),
        bars=r"\bDr\b|attend|sign|\bMD\b|\bRN\b|by ",
    ),
    Asking(
        "had_immunization", "patient", ("immunization",),
        ("Which immunization did {head} get?", "Which vaccines are recorded for {head}?"),
        ("{head} got {tail}", "The recorded immunization is {tail}"), bars=r"vacc|immuni|shot",
    ),
    Asking(
        "had_procedure", "patient", ("procedure",),
        ("Which procedure did {head} have?", "Which procedures are recorded for {head}?"),
        ("{head} had {tail}", "The recorded procedure is {tail}"),
        bars=r"proced|surg|scan|x-?ray|ectomy|\bCT\b|s/p",
    ),
    Asking(
        "causes", "allergy", ("symptom",),
        ("How does {patient} react to {head}?", "Which reaction does {head} cause in {patient}?",
         "What happens when {patient} gets {head}?"),
        ("{head} causes {tail}", "The reaction to {head} is {tail}"), bars=r"allerg|react",
    ),
)  # fmt: skip
"""Of charts."""

SECURITY: Final = (
    Asking(
        "controls", "host", ("device",),
        ("Which host controls {tail}?", "On which host does {tail} depend?",
         "To which host is {tail} attached?"),
        ("{head} controls {tail}", "{tail} is controlled by {head}"), "head",
    ),
    Asking(
        "located_in", "device", ("ward",),
        ("On which ward is {head}?", "Where is {head} in use?", "Which ward has {head}?"),
        ("{head} is in {tail}", "The ward of {head} is {tail}"),
    ),
    Asking(
        "located_in", "host", ("ward",),
        ("To which ward does {head} belong?", "On which ward is the host {head}?"),
        ("{head} belongs to {tail}", "The ward of {head} is {tail}"),
        needs=r"\bward: ",
    ),
    Asking(
        "made_by", "device", ("vendor",),
        ("Who makes {head}?", "Which vendor made {head}?"),
        ("{head} is made by {tail}", "The vendor of {head} is {tail}"),
    ),
    Asking(
        "made_by", "product", ("vendor",),
        ("Who makes {head}?", "Which company is the vendor of {head}?"),
        ("{head} is made by {tail}", "The vendor of {head} is {tail}"),
    ),
    Asking(
        "has_address", "host", ("ip",),
        ("What is the IP address of {head}?", "Which address does {head} have?"),
        ("The address of {head} is {tail}", "{head} has the address {tail}"),
    ),
    Asking(
        "runs", "host", ("service",),
        ("Which service runs on {head}?", "What does {head} run?"),
        ("{head} runs {tail}", "The service on {head} is {tail}"),
        needs=r"service: ",
    ),
    Asking(
        "has_vulnerability", "host", ("vulnerability",),
        ("Which vulnerability does {head} have?", "What did the scan find on {head}?",
         "Which CVE was found on {head}?"),
        ("{tail} was found on {head}", "The scan found {tail} on {head}"),
    ),
    Asking(
        "has_vulnerability", "host", ("vulnerability",),
        ("On which host was {tail} found?", "Which host has {tail}?"),
        ("{tail} was found on {head}", "The scan found {tail} on {head}"), "head",
    ),
    Asking(
        "affects", "vulnerability", ("product",),
        ("Which product does {head} affect?", "What is affected by {head}?"),
        ("{head} affects {tail}", "The affected product is {tail}"),
    ),
    Asking(
        "has_weakness", "vulnerability", ("weakness",),
        ("Which weakness is behind {head}?", "Which CWE does {head} have?"),
        ("The weakness of {head} is {tail}", "{head} is a case of {tail}"),
    ),
    Asking(
        "connected_to", "host", ("host",),
        ("On which host does {head} depend?", "What does {head} need to work?"),
        ("{head} depends on {tail}", "It depends on {tail}"), needs=r"depends_on: ",
    ),
    Asking(
        "logged_in_to", "account", ("host",),
        ("Which account logged in to {tail}?", "Who logged on to {tail}?"),
        ("{head} logged in to {tail}", "The account is {head}"), "head",
    ),
    Asking(
        "resolved", "host", ("domain",),
        ("Which domain did {head} look up?", "Which name did {head} ask the DNS for?"),
        ("{head} looked up {tail}", "The name looked up was {tail}"),
    ),
    Asking(
        "resolved", "ip", ("domain",),
        ("Which domain did {head} look up?", "Which name did {head} ask the DNS for?"),
        ("{head} looked up {tail}", "The name looked up was {tail}"),
    ),
    Asking(
        "spawned", "process", ("process",),
        ("Which process started {tail}?", "What is the parent of {tail}?"),
        ("{head} started {tail}", "The parent process is {head}"), "head",
    ),
    Asking(
        "wrote", "process", ("file",),
        ("Which file did {head} write?", "What was written by {head}?"),
        ("{head} wrote {tail}", "The file is {tail}"),
    ),
    Asking(
        "uses", "threat_group", ("technique", "malware", "tool"),
        ("What does {head} use?", "Which technique or malware does {head} use?"),
        ("{head} uses {tail}", "It uses {tail}"),
    ),
    Asking(
        "exploits", "malware", ("vulnerability",),
        ("Which vulnerability does {head} exploit?", "Which CVE is exploited by {head}?"),
        ("{head} exploits {tail}", "The vulnerability is {tail}"),
    ),
    Asking(
        "indicates", "domain", ("malware",),
        ("What does the domain {head} indicate?", "Which malware talks to {head}?"),
        ("{head} indicates {tail}", "The domain is a sign of {tail}"),
    ),
    Asking(
        "indicates", "hash", ("malware",),
        ("Which malware has the hash {head}?", "What does the hash {head} indicate?"),
        ("{head} indicates {tail}", "The hash belongs to {tail}"),
    ),
    Asking(
        "belongs_to", "technique", ("tactic",),
        ("To which tactic does {head} belong?", "Which tactic is {head} used for?"),
        ("{head} belongs to {tail}", "The tactic is {tail}"),
    ),
    Asking(
        "detects", "rule", ("technique",),
        ("Which technique does the rule {head} detect?", "What does the rule {head} look for?"),
        ("The rule detects {tail}", "{head} detects {tail}"),
    ),
    Asking(
        "mitigates", "mitigation", ("technique",),
        ("Which technique does {head} mitigate?", "Against which technique does {head} help?"),
        ("{head} mitigates {tail}", "It helps against {tail}"),
    ),
)  # fmt: skip
"""Of hosts, devices, flaws and attacks."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A question that two facts answer, which share the thing in the middle.

    Attributes:
        first, second: names of relations with the types of head and tail.
        shared: ``tt``, ``th``, ``ht`` or ``hh``: the end of the first and the end of the second
            that are the same thing.
        questions: ``{start}`` is the other end of the first.
        answers: what is told of the two, each with its ``{head}`` and ``{tail}``.
    """

    first: tuple[str, str, str]
    second: tuple[str, str, str]
    shared: str
    questions: tuple[str, ...]
    answers: tuple[str, str]

    @property
    def name(self) -> str:
        """``uses_device + controls``."""
        return f"{self.first[0]} + {self.second[0]}"


CHAINS: Final = (
    Chain(("uses_device", "patient", "device"), ("controls", "host", "device"), "tt",
          ("Which host controls the device of {start}?",
           "On which host does the device used for {start} depend?"),
          ("{head} uses {tail}", "{head} controls {tail}")),
    Chain(("uses_device", "patient", "device"), ("located_in", "device", "ward"), "th",
          ("On which ward is the device used for {start}?",),
          ("{head} uses {tail}", "{head} is in {tail}")),
    Chain(("controls", "host", "device"), ("has_vulnerability", "host", "vulnerability"), "hh",
          ("Which vulnerability was found on the host that controls {start}?",
           "Which CVE puts {start} at risk through its host?"),
          ("{head} controls {tail}", "{tail} was found on {head}")),
    Chain(("controls", "host", "device"), ("runs", "host", "service"), "hh",
          ("Which service runs on the host that controls {start}?",),
          ("{head} controls {tail}", "{head} runs {tail}")),
    Chain(("has_vulnerability", "host", "vulnerability"), ("affects", "vulnerability", "product"),
          "th", ("Which product makes {start} vulnerable?",
                 "What product on {start} has a known vulnerability?"),
          ("{tail} was found on {head}", "{head} affects {tail}")),
    Chain(("uses", "threat_group", "malware"), ("exploits", "malware", "vulnerability"), "th",
          ("Which vulnerability do the tools of {start} exploit?",),
          ("{head} uses {tail}", "{head} exploits {tail}")),
    Chain(("connected_to", "host", "host"), ("has_address", "host", "ip"), "th",
          ("What is the address of the host that {start} depends on?",),
          ("{head} depends on {tail}", "{head} has the address {tail}")),
)  # fmt: skip
"""Ways that lead over two facts."""
