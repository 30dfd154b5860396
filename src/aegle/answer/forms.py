"""The forms in which people ask: each is read as the plain question that it stands for.

One row a form, in the order of trying; further rows see what earlier ones made. The first part of
a row says of what the question must name one (``patient``; empty: of anything).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_BE: Final = r"(?:is|are|was|were|'s|’s)"

_READ: Final = tuple(
    (of, re.compile(pattern, re.IGNORECASE), plain)
    for of, pattern, plain in (
        # Requests and verbless questions.
        ("", r"^(?:please )?(?:list|show|give|name|tell)(?: (?:me|us))? (?:all )?(?:of )?"
             r"(?:the |any )?(?=\w)(?!what|which|who|where|when|how|if|whether|about)", "which "),
        ("", r"^(?:are|is|were|was) there (?:any )?(?!\w+ (?:in|on) )", "which "),
        ("", r"^any (?=\w)", "which "),
        ("", r"^(.+?) list (?:for|of) ", r"which \1s for "),
        ("", r"\b(?:which|what) systems\b", "which hosts"),
        # Places.
        ("", rf"\bwhere(?: exactly)? {_BE}", "which ward is"),
        ("", r"\bwhere (?:can|could|do|does|did|may|might) (?:i|we|one|you) (?:find|see|get)",
         "which ward is"),
        ("", r"\bwhere (?:do|does|did) ", "which ward does "),
        ("", rf"\bwhat ?{_BE} the (?:location|whereabouts|place) (?:of|for) ", "which ward is "),
        # People.
        ("patient", r"\bwho (?:looks? after|looked after|is looking after|takes care of|cares for|"
                    r"treats|treated|is treating|sees|manages|is responsible for|"
                    r"is in charge of|is caring for)", "which attending has"),
        ("", r"\bwho (?:owns|is responsible for|is in charge of|looks after|runs|administers)",
         "which owner has"),
        ("", r"\bwho (?:makes?|made|manufactures?|builds?|built|sells|produces)",
         "which vendor made"),
        ("", r"\b(?:who|which people|what people|which persons) (?:is|are|was|were|gets?|got|has|"
             r"have|had|takes?|took|receives?|received) (?=(?:on|getting|taking|receiving|given|"
             r"being|treated|using|allergic|prescribed) )", "which patients are "),
        *(
            (attack, r"\bwho (?=(?:us|employ|exploit|deliver|deploy|install)(?:e|es|ed|s)?\b)",
             "which adversary ")
            for attack in ("technique", "attack_pattern", "malware", "tool", "vulnerability")
        ),
        ("", r"\bwho (?:takes?|gets?|receives?|uses) ", "which patients take "),
        ("device", r"^whose (\w+) (?:is|was) ", r"which patient has the \1 "),
        ("host", r"\bwhat (?:does|do|did) (.+?) (?:control|manage|drive|steer)s?\b",
         r"which devices does \1 control"),
        ("", r"\bwhat (?:does|do|is|are) (.+?) (?:(depend) on|depends on|rely on|controlled by|"
             r"managed by)\b", r"which host does \1 depend on"),
        # Reasons and findings.
        ("patient", r"\bwhy (?:is|was|were|did|has|had) (.+?)(?: (?:been|come|get|got))? "
                    r"(?:admitted|hospitali[sz]ed|here|in hospital|in the hospital|brought in)\b",
         r"what is the admitting diagnosis of \1"),
        ("patient", r"\bwhat (?:brought|led) (.+?) (?:in|into|to) (?:the )?hospital",
         r"what is the admitting diagnosis of \1"),
        ("patient", r"\bwhat (?:is|was|does|did) (.+?) (?:being )?(?:given|getting|taking|"
                    r"receiving|get|take|receive)(?=\W*$)", r"which medications has \1"),
        ("patient", r"\bwhat did .*?\bdiagnose (?:in|for|with)? ?", "what is the diagnosis of "),
        ("patient", r"^(?:does|do|did|is|was) (.+?) (?:still )?(?:being )?(?:tak(?:e|ing)|"
                    r"get(?:ting)?|receiv(?:e|ing)|prescribed|given) (?=\w)", r"is \1 on "),
        ("patient", r"\bhow (?:is|was|are) (.+?) (?:being )?treated", r"which medications has \1"),
        ("patient", r"\bhow much (?:does|did) (.+?) weigh", r"what is the weight of \1"),
        ("patient", r"\bhow (?:heavy|tall|old) (?:is|was) ", "what is the weight height age of "),
        ("", r"\bhow (?:high|low) (?:was|is|were) (?:the )?", "what was the "),
        ("", r"\bhow (?:does|do|did) (.+?) (?:get|break|come|breach) (?:in|into)\b",
         r"which initial access does \1 exploit"),
        # Times.
        ("", r"\bhow (?:quickly|soon|fast)\b", "within how many hours"),
        ("", r"\bhow long (?:does|do|did|will|would|can|must|should) (.+?) (?:last|take)\b",
         r"how long \1"),
    )
)  # fmt: skip

_ADVICE: Final = re.compile(
    r"^(?:what|how) (?:should|must|shall|do|does|can|to|needs?|has|have|ought|is)\b.*?\b(?:do|done|"
    r"react|respond|act|handle[ds]?|proceed)\b(?P<case>.*)$",
    re.IGNORECASE,
)
_WHAT_NOW: Final = re.compile(r"^(.+?)[,;:. -]+what (?:now|next|then|to do)$", re.IGNORECASE)
_AGENTS: Final = re.compile(
    r"\b(?:staff|nurses?|people|someone|somebody|anyone|one|i|we|you|they|it|doctors?|clinicians?|"
    r"users?|employees?)\b",
    re.IGNORECASE,
)
_CASE: Final = re.compile(r"\b(?:when|if|whenever|about|with|after|once|while|against)\b", re.I)
_POLAR: Final = re.compile(
    r"^(?:is|are|was|were|does|do|did|has|have|had|can|could|may|must|should|will)\b", re.I
)
_EVENT: Final = re.compile(
    r"^what (?:has |have )?(?:happened|occurred|took place|taken place|went on|"
    r"was (?:seen|observed|logged|recorded|going on|detected)|were (?:the )?events?)\b",
    re.IGNORECASE,
)
_LASTS: Final = re.compile(
    r"\bhow long\b|\bfor how (?:many|long)\b|\bwithin how many\b|\bhow many (?:second|minute|hour|"
    r"day|week|month|year)s?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """A question as it is read, and what sort of answer it wants.

    Attributes:
        text: the plain question.
        advice: what to do; records of what happened are no answer.
        polar: yes or no.
        event: what happened; anything recorded there and then will do.
        lasts: a length of time.
    """

    text: str
    advice: bool = False
    polar: bool = False
    event: bool = False
    lasts: bool = False


def read(question: str, *, of: Collection[str] = ()) -> Form:
    """A question in its plain form.

    Args:
        of: types of what it names, such as ``patient``.
    """
    text = " ".join(question.split())
    asked = text.rstrip("?.! ")
    if found := _ADVICE.match(asked):
        case = _CASE.split(found["case"], maxsplit=1)[-1].strip()
        if case:
            return Form(_AGENTS.sub(" ", case), advice=True)
    if found := _WHAT_NOW.match(asked):
        return Form(_AGENTS.sub(" ", found[1]), advice=True)
    if _EVENT.match(asked):
        return Form(_EVENT.sub("", asked), event=True)
    for kind, pattern, plain in _READ:
        if not kind or kind in of:
            text = pattern.sub(plain, text, count=1)
    return Form(text, polar=bool(_POLAR.match(text)), lasts=bool(_LASTS.search(text)))
