"""Which words are names of people: the census's lists against words, headings and eponyms."""

from __future__ import annotations

import gzip
import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from aegle.packs.general.wordlist import lines

# Capital letters of the Latin, Greek and Cyrillic blocks.
UPPER: Final = "A-ZÀ-ÖØ-Þ" + "".join(filter(str.isupper, map(chr, range(0x100, 0x530))))
WORD: Final = rf"[{UPPER}][^\W\d_]*(?:['’-][^\W\d_]+){{0,3}}"
TOKEN: Final = re.compile(WORD)
"""A capitalised word, with its hyphens and apostrophes."""
PARTICLE: Final = (
    r"(?:de la|de los|van der|van den|von der|de|da|do|dos|del|della|di|la|le|van|von|bin|al|el"
    r"|ter|ten|den)"
)

NOT_A_NAME: Final = frozenset(
    """the a an and or of in on at by for to from with without is was are were be this that these
    those he she it they we you i his her their our my your its no not yes none if when
    while after before january february march april june july august september october
    november december jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday
    wednesday thursday friday saturday sunday mon tue wed thu fri sat sun north south east
    west street avenue road drive lane boulevard court county hospital clinic center centre
    university college school department medical health care unit ward inc llc ltd corp
    company group bank street st mr mrs ms dr prof miss sir patient history exam assessment
    plan chief complaint allergies medications social family review systems vital signs
    physical past surgical present illness diagnosis procedure impression findings discharge
    admission date time name address phone fax email mrn dob ssn age sex male female
    january's america american american's english french german spanish italian chinese
    japanese windows linux microsoft google apple cisco oracle adobe apache android python
    java server united states kingdom states new york california texas florida washington
    boston chicago virginia georgia carolina dakota jordan chad kenya china india asia
    israel paris london sydney austin dallas houston madison florence charlotte savannah
    victoria santiago diego cleveland lincoln troy orlando milan geneva christian jesus
    alexandria augusta francisco jose antonio san santa los las el denver phoenix columbus
    portland aurora arlington medicare medicaid allegra xanax france germany
    canada mexico spain italy vietnam korea asian african americans pacific islander hispanic
    southeast national aetna cigna humana tylenol advil aspirin os
    practitioner stepdown""".split()
)
_DIRECTIONS: Final = frozenset(
    """north south east west new san santa los las el st mr florence charlotte savannah victoria
    santiago cleveland lincoln troy orlando milan geneva alexandria augusta francisco jose antonio
    portland aurora arlington boston chicago madison dallas houston austin denver phoenix columbus
    paris london sydney washington jordan diego""".split()
)
"""Of these, what a town's name may start with."""
EPONYM_NEXT: Final = re.compile(
    r"(?:['’]s?)?(?:-[\w]+)*[ -](?:disease|syndrome|palsy|sign|catheter|score|scale|test|criteria"
    r"|criterion"
    r"|reflex|method|lymphoma|thyroiditis|sarcoma|tumou?r|fracture|node|nodes|node's|phenomenon"
    r"|procedure"
    r"|esophagus|ulcer|maneuver|manoeuvre|position|ring|tube|drain|body|bodies|cell|cells|ganglion"
    r"|classification"
    r"|equation|formula|index|law|stain|virus|solution|line|plot|model|coefficient|correlation"
    r"|theorem|algorithm"
    r"|attack|exploit|group|team|ransomware|malware|campaign|chorea|ataxia|anemia|triad|anomaly"
    r"|duct|gland"
    r"|hernia|contracture|respiration|respirations|gravis|response|grade|stage|coma)\b",
    re.IGNORECASE,
)
EPONYMS: Final = frozenset(
    """parkinson parkinson's parkinsons foley crohn crohn's crohns alzheimer alzheimer's hodgkin
    hodgkin's graves graves' addison addison's cushing cushing's bell bell's raynaud
    raynaud's sjogren sjögren huntington huntington's marfan turner down wilson's wernicke
    korsakoff barrett barrett's hashimoto kaposi burkitt meckel meniere ménière tourette
    kawasaki lyme ebola zika murphy babinski romberg glasgow apgar braden wells norton swan
    ganz hickman jackson pratt penrose trendelenburg valsalva doppler gram holter kerley
    kussmaul lasik lisfranc paget peyronie pott ringer ringer's rorschach snellen tinel
    weber rinne whipple wilms epstein barr coombs creutzfeldt jakob guillain barre lewy
    charcot ehlers danlos gaucher klinefelter legionnaires salmonella mirena kerberos yara
    sigma snort suricata mallory mimikatz carbanak emotet conficker lazarus sandworm
    turla""".split()
)


_MEDICAL: Final = re.compile(
    r"\w{2,}(?:olog(?:y|ist|ic)|iatr(?:y|ic|ics|ist)|therap(?:y|ist|ies)|itis|[ae]emia|osis|ectomy"
    r"|opath(?:y|ic)|ogra(?:phy|m)|oscopy|otomy|ostomy|plasty|uria|algia|plegia|rrhea|pnea|oma"
    r"|[xzm]umab|inib|april|sartan|statin|cillin|mycin|floxacin|olol|azole|[ou]vir|dipine|caine|zepam"
    r"|zolam|oxetine|azine|idone|gliptin|gliflozin|glutide|parin|xaban|lukast|setron|triptan|thiazide"
    r"|barbital|cycline|solone|terol|tropium|feron|platin|rubicin|taxel|formin|tadine|phylline)s?"
)
"""How terms of medicine end, which no dictionary holds all of."""


def folded(word: str) -> str:
    """The form in which the lists hold a word: small letters without accents."""
    plain = word.casefold().replace("’", "'")
    if plain.isascii():
        return plain
    apart = unicodedata.normalize("NFKD", plain)
    bare = "".join(char for char in apart if not unicodedata.combining(char))
    return plain if bare in NOT_A_NAME else bare  # Ján is no month


@cache
def census(name: str) -> frozenset[str]:
    """A list: ``first`` or ``last`` names, or ``words``; the lists overlap."""
    data = (files(__package__) / "data" / f"{name}.txt.gz").read_bytes()
    return frozenset(map(folded, gzip.decompress(data).decode().split()))


@cache
def lands() -> frozenset[str]:
    """Countries, states, peoples, languages and religions, folded."""
    return frozenset(
        word for line in lines("aegle.packs.general", "lands") for word in line.split()
    )


@cache
def eponyms() -> frozenset[str]:
    """Words of medicine that come from a name, or look like one; rarely anybody's name alone."""
    return frozenset(
        word for line in lines("aegle.packs.general", "eponyms") for word in line.split()
    )


@cache
def sets() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """First names, last names and words; what is both a name and a word is only a word here."""
    words = census("words") | NOT_A_NAME
    return census("first") - words - EPONYMS, census("last") - words - EPONYMS, words


def is_first(word: str) -> bool:
    """Whether a word is a given name and nothing else."""
    return folded(word) in sets()[0]


def is_listed(word: str) -> bool:
    """Whether a folded word is anybody's name in the lists, be it a word as well."""
    return word in census("first") or word in census("last")


def is_word(word: str) -> bool:
    """Whether a folded word is an ordinary one, a heading, an eponym or a term of medicine."""
    bare = word.removesuffix("'s")
    return (
        bare in sets()[2]
        or bare in EPONYMS
        or word in EPONYMS
        or is_medical(bare)
        or (bare.endswith("s") and bare[:-1] in sets()[2])
    )


def is_medical(word: str) -> bool:
    """Whether a folded word ends as terms of medicine do."""
    return _MEDICAL.fullmatch(word) is not None


def is_no_name(word: str) -> bool:
    """Whether a word never starts a name: months, headings, pronouns."""
    return folded(word) in NOT_A_NAME - _DIRECTIONS


def is_technical(word: str) -> bool:
    """Whether a word is an acronym or has a capital inside, and is in no list: ``InstallSvc``."""
    first, last, _ = sets()
    if folded(word) in first or folded(word) in last:
        return False
    inside = re.sub(r"^(?:Ma?c|De|La|Le|Van|Fitz|.['’])|[-'’].", "", word)[1:]
    return (word.isupper() and len(word) < 6) or (not word.isupper() and not inside.islower())
