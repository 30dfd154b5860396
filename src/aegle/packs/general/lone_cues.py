"""The words around a lone name that say it is somebody's: before it, after it, and on its line."""

from __future__ import annotations

import re
from typing import Final

from aegle.packs.general.shapes import any_of

_ROLES: Final = """
    attending resident fellow intern hospitalist intensivist surgeon physician provider nurse
    consultant registrar oncologist cardiologist neurologist nephrologist urologist
    pulmonologist pharmacist therapist midwife internist psychiatrist dietitian chaplain matron
    gp pcp md rn pa np cna lpn pt patient patient's client caregiver carer guardian interpreter
""".split()
_KIN: Final = any_of(
    """son sons daughter daughters wife husband mother father mom mum dad brother brothers sister
    sisters friend friends partner aunt uncle niece nieces nephew nephews spouse grandson grandsons
    granddaughter granddaughters grandmother grandfather cousin cousins neighbor neighbors neighbour
    neighbours fiance fiancé fiancee fiancée girlfriend boyfriend roommate widow widower parent
    parents family kid kids child children baby infant twin twins boss lawyer landlord
    colleague""".split()
)
_TALKS: Final = """
    talked talking discussed discussing discussion discuss reviewed reviewing spoke spoken speak
    conferred confirmed arranged coordinated conversation meeting met meet consulted
    consultation agree agreed agrees cleared verified scheduled follow-up followup f/u
    appointment appt visit call came live lives living lived stay stays staying resides
""".split()
_DOERS: Final = """
    seen evaluated examined assessed treated followed managed performed signed dictated scribed
    witnessed assisted recommended requested ordered given told written reported obtained placed
    interpreted read referred raised interviewed called accompanied escorted brought driven
    directed founded led owned
""".split()
_GIVERS: Final = """
    referred spoke deferred assigned talked married engaged given belongs listened introduced
    thanks related devoted report message
""".split()
_SEEKERS: Final = "message left called paged page waiting looking asked prescribed cares".split()
_BARE: Final = [
    *"""per d/w consult consulted notified paged informed contacted updated phoned texted emailed
    called thanked appreciate thank named nicknamed surnamed née nee aka sees saw see met asked ask
    told says said shouts replied answered married divorced visits love loves""".split(),
    "as per", "according to", "known as", "name is", "name's", "name?", "this is", "i'm", "i am",
    "calls me", "handed off to", "signed out to", "turned over to", "report given to",
    "message left for", "brought in by", "operated on by", "cared for by", "named him", "named her",
    "by the late", "follow up with", "followed up with", "will follow with",
]  # fmt: skip
_MIDDLE: Final = (
    r"(?: (?:in detail|at length|today|by phone"
    r"|(?:(?:the|this) )?(?:case|plan|findings|results|options|care)))?"
)
_WHOSE: Final = r"(?:(?:the|her|his|my|our|their|pt's|patient's) )?"
_ROLE: Final = any_of(_ROLES)

BEFORE: Final = re.compile(
    rf"(?i)(?:\b(?:{any_of(_TALKS)}{_MIDDLE} (?:with|w/?)|{any_of(_DOERS)} by|{any_of(_GIVERS)} to"
    rf"|{any_of(_SEEKERS)} for|{any_of(_BARE)}|{_ROLE}(?: is| was|,|:)?"
    rf"|{_KIN}(?:'s name)?(?: is| was| named| called|,|:)?)"
    rf"(?: {_WHOSE}(?:{_ROLE}|{_KIN}),?)?[ \n]|\b{_KIN} \("
    r"|(?:^|\n)(?:cc|attn)\.?[:;][^\n]{0,60}?[ ,;]"
    r"|(?:^|\n)(?:regards|kind regards|sincerely|signed|thanks|best|best wishes|cheers|yours"
    r"(?: \w+)?|respectfully),?\n{1,2}|(?:^|\n)(?:--|—|–|~) ?|/s/ ?"
    r"|\b\d{1,3} ?(?:yo ?)?[MF] |\b(?:why|how|where|who|when|what) (?:is|was|does|did|has) )$"
)
"""What ends where a person's name starts, and seldom where a thing's does."""

BOLD: Final = re.compile(
    r"(?i)\b(?:(?:seen|evaluated|examined|signed|dictated|referred) by"
    r"|(?:discussed|spoke|d/w|reviewed)"
    rf"{_MIDDLE}(?: with)?|paged|notified|per|according to) $"
)
"""After these even a word or an eponym is somebody: ``seen by Murphy.``"""

_DOES: Final = """
    states stated requests requested presents presented informed notified denies denied reports
    reported complains complained says said asks asked agrees agreed disagrees verbalizes
    verbalized endorses endorsed admits understands understood lives lived resides smokes drinks
    declined refuses refused wants wanted wishes feels felt thinks thought believes believed
    shouted replied answered told went came flew wrote explained visited recommends recommended
    advised suggests suggested ambulated arrived returned walked sat stood ran slept ate worked
    works married died began decided hopes loves hates likes remembers forgot c/o aware
""".split()
_IS: Final = [
    *"""
    aware able unable here present anxious happy tearful angry informed notified told asked
    called paged consulted seen admitted discharged brought accompanied transferred
    intubated extubated referred diagnosed born
    """.split(),
    "a very", "an elderly", "the patient",
]  # fmt: skip
AFTER: Final = re.compile(
    rf", \d{{1,3}} ?(?:[MF]\b|y)| (?:(?:is|was) (?:an? )?(?:\d|so |very )"
    rf"|(?:{any_of(_DOES)}|(?:is|was) {any_of(_IS)}"
    r"|(?:is|was) an? (?:\w+ )?(?:man|woman|boy|girl|male|female|gentleman|lady|child|nurse|doctor)"
    r"|grew up|at bedside|will be \w+ing|has (?:never|always))(?!\w))"
)
"""What only people do, in small letters."""

_OWNED: Final = """
    address name home house doctor nurse chart room bed birthday phone email number surgery
    appointment recommendation recommendations note office killer killers death life birth
    wedding car account job novel book song speech voice hand head
""".split()
OWNS: Final = re.compile(rf"['’]s (?:{_KIN}|{any_of(_OWNED)})\b")
OPENS: Final = re.compile(r"(?:^|[\n.!?\"“>] ?)$")
SPEAKS: Final = re.compile(
    r":[ \t]*[\"“]|, (?:can|could|would|will|please|are|do|did|how|what|where|thank)\b"
)
"""At the start of a line: somebody who speaks, or is spoken to."""
