"""Words whose exchange turns a statement into another one: directions, degrees, times, sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_DIRECTION: Final = """
increase/decrease increases/decreases increased/decreased increasing/decreasing
increase/reduce increases/reduces increased/reduced raise/lower raises/lowers raised/lowered
higher/lower highest/lowest high/low more/less greater/smaller larger/smaller longer/shorter
improve/worsen improves/worsens improved/worsened improvement/worsening better/worse
gain/loss gains/losses rise/fall rises/falls rose/fell elevated/reduced enhanced/impaired
enhance/impair enhances/impairs enhancement/impairment promote/suppress promotes/suppresses
promoted/suppressed activate/inhibit activates/inhibits activated/inhibited activation/inhibition
upregulated/downregulated upregulates/downregulates upregulation/downregulation
up-regulated/down-regulated up-regulation/down-regulation stimulates/inhibits stimulate/inhibit
induce/prevent induces/prevents induced/prevented accelerates/slows accelerate/delay
accelerated/delayed positive/negative positively/negatively beneficial/harmful
sensitive/resistant sensitivity/resistance effective/ineffective useful/useless safe/unsafe
efficient/inefficient sufficient/insufficient adequate/inadequate stronger/weaker strong/weak
overexpression/depletion presence/absence present/absent present/missing protects/harms
protective/harmful likely/unlikely possible/impossible able/unable stable/unstable
similar/different superior/inferior favorable/unfavorable over/under above/below gained/lost
required/unnecessary essential/dispensable necessary/unnecessary facilitates/hinders
allow/block allows/blocks allowed/blocked enable/disable enables/disables enabled/disabled
encrypt/decrypt encrypts/decrypts encrypted/decrypted download/upload downloads/uploads
downloaded/uploaded inbound/outbound incoming/outgoing create/delete creates/deletes
created/deleted start/stop starts/stops started/stopped success/failure successful/failed
remote/local added/removed add/remove adds/removes install/uninstall public/private
internal/external read/write reads/writes send/receive sends/receives sent/received
locked/unlocked valid/invalid expand/shrink open/close opened/closed accept/deny
"""
_DEGREE: Final = """
mild/severe mildly/severely minor/major slight/marked slightly/markedly moderate/severe
always/never often/rarely frequently/rarely common/rare commonly/rarely all/some most/few
many/few main/minor significant/negligible significantly/marginally complete/partial
completely/partially benign/malignant acute/chronic critical/harmless normal/abnormal
regular/irregular frequent/occasional serious/trivial
"""
_TIME: Final = """
before/after prior/subsequent preceding/following early/late earlier/later first/last
initial/final initially/finally daily/weekly weekly/monthly monthly/yearly hourly/daily
preoperative/postoperative preoperatively/postoperatively prenatal/postnatal begin/end
begins/ends began/ended short-term/long-term current/previous currently/previously
morning/evening day/night newborn/elderly childhood/adulthood children/adults
"""
_SIDE: Final = """
left/right upper/lower anterior/posterior medial/lateral proximal/distal dorsal/ventral
male/female males/females men/women man/woman father/mother brother/sister son/daughter
he/she his/her client/server source/destination north/south east/west arterial/venous
parent/child unilateral/bilateral
"""


def _both(table: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for pair in table.split():
        one, other = pair.split("/")
        for word, against in ((one, other), (other, one)):
            if against not in found.setdefault(word, []):
                found[word].append(against)
    return {word: tuple(words) for word, words in found.items()}


OPPOSITES: Final = {
    "direction": _both(_DIRECTION),
    "degree": _both(_DEGREE),
    "time": _both(_TIME),
    "side": _both(_SIDE),
}
"""Kind -> word -> words that say the opposite, or another thing."""


def opposites_of(word: str) -> frozenset[str]:
    """Every word that says the opposite of a word in lower case, of any kind."""
    return _AGAINST.get(word, frozenset())


_AGAINST: Final = {
    word: frozenset(one for table in OPPOSITES.values() for one in table.get(word, ()))
    for table in OPPOSITES.values()
    for word in table
}

_SIDES: Final = """
start starts started starting begin begins began begun beginning initiate initiates initiated
initiating continue continues continued continuing resume resumes resumed resuming restart restarts
restarted commence commenced
/ stop stops stopped stopping discontinue discontinues discontinued discontinuing hold holds held
holding withhold withheld withholding cease ceases ceased suspend suspends suspended pause paused
| increase increases increased increasing raise raises raised raising elevate elevates elevated rise
rises rose risen rising uptitrated upregulated upregulates
/ decrease decreases decreased decreasing reduce reduces reduced reducing lowers lowered lowering
fall falls fell fallen falling decline declines declined declining diminish diminishes diminished
downtitrated downregulated downregulates
| improve improves improved improving improvement
/ worsen worsens worsened worsening deteriorate deteriorates deteriorated deterioration
| allow allows allowed permit permits permitted grant grants granted accept accepts accepted
/ block blocks blocked reject rejects rejected refuse refuses refused
| enable enables enabled enabling / disable disables disabled disabling
| encrypt encrypts encrypted / decrypt decrypts decrypted
| install installs installed / uninstall uninstalls uninstalled
| lock locks locked / unlock unlocks unlocked
| upload uploads uploaded / download downloads downloaded
| connect connects connected / disconnect disconnects disconnected
| add adds added create creates created / remove removes removed delete deletes deleted
| activate activates activated / inhibit inhibits inhibited deactivate deactivates deactivated
| positive / negative | present / absent | benign / malignant | inbound incoming / outbound outgoing
| left / right
"""
SIDES: Final = {
    word: (family, side)
    for family, both in enumerate(_SIDES.split("|"))
    for side, words in enumerate(both.split("/"))
    for word in words.split()
}
"""Word -> a question and which of its two answers: what is held is not continued, nor started."""

UNITS: Final = {
    "mg": ("g", "mcg"),
    "mcg": ("mg",),
    "g": ("mg", "kg"),
    "kg": ("g",),
    "ml": ("l",),
    "minutes": ("hours", "seconds"),
    "minute": ("hour",),
    "seconds": ("minutes",),
    "hours": ("days", "minutes"),
    "hour": ("day",),
    "days": ("weeks", "months", "hours"),
    "day": ("week",),
    "weeks": ("months", "days"),
    "week": ("month",),
    "months": ("years", "weeks"),
    "month": ("year",),
    "years": ("months", "weeks"),
    "year": ("month",),
    "percent": ("per thousand",),
    "million": ("thousand", "billion"),
    "thousand": ("million",),
    "KB": ("MB",),
    "MB": ("GB", "KB"),
    "GB": ("MB",),
}
"""What follows a number, and what would make another amount of it."""

NUMBER_WORDS: Final = "zero one two three four five six seven eight nine ten eleven twelve".split()

VERBS: Final = tuple(
    """affect alter associate attack block bind cause change collect communicate complain confer
    connect contain contribute control correlate create decrease delay delete depend detect
    develop differ download drive enable encrypt enhance execute experience express follow gather
    help impair improve increase induce inhibit influence inject interact involve lead lower
    maintain mediate modulate need occur play predict prevent produce promote protect provide
    reduce regulate relate remain report require respond result show smoke stimulate support
    suppress survive take target transfer trigger upload use work""".split()
)
"""Regular verbs (and a few others) that a negation is put before: "does not cause"."""
IRREGULAR: Final = {
    "leads": "lead", "led": "lead", "shows": "show", "showed": "show", "takes": "take",
    "took": "take", "binds": "bind", "bound": "bind", "drives": "drive", "drove": "drive",
    "plays": "play", "played": "play", "has been": "has been", "occurred": "occur",
    "transferred": "transfer", "conferred": "confer", "controlled": "control",
}  # fmt: skip


def forms() -> Mapping[str, tuple[str, str]]:
    """Inflected form -> (auxiliary, base): ``causes`` -> (does, cause)."""
    found: dict[str, tuple[str, str]] = {}
    for verb in VERBS:
        found[f"{verb}s"] = ("does", verb)
        found[f"{verb}d" if verb.endswith("e") else f"{verb}ed"] = ("did", verb)
    for form, verb in IRREGULAR.items():
        if form != verb:
            found[form] = ("does" if form.endswith("s") else "did", verb)
    return found


FORMS: Final = forms()
