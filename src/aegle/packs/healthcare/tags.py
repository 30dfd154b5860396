"""What clinical texts take from the tagger: label sets, the assertion head, the relation head.

Notes take the clinical and the biomedical label set. The relation head and the genes and variants
that it speaks of are of the literature's abstracts: in a chart they would only be noise, and what
a chart relates, its rules and its source say. The set of cancer biology names cells and parts of
cells, which nothing here asks for; its cancers and chemicals are found by the others.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from aegle.core.pack import LabelSet, PairSet, Tags

_LITERATURE: Final = frozenset({"page", "report"})
_PROSE: Final = frozenset({"note", "mail"}) | _LITERATURE

_DISEASES: Final = ("condition", "symptom")
_DRUGS: Final = ("medication",)
_GENES: Final = ("gene", "variant")
_SETS: Final = {
    "clinical": LabelSet(
        {
            "problem": ("condition", "symptom"),
            "test": ("lab", "vital", "procedure"),
            "medication": _DRUGS,
            "procedure": ("procedure", "immunization"),
            "dose": ("dose",),
            "anatomy": ("anatomy",),
        },
        _PROSE,
    ),
    "biomedical": LabelSet({"disease": _DISEASES, "chemical": _DRUGS}, _PROSE),
    "biology": LabelSet(
        {
            "disease": _DISEASES,
            "chemical": _DRUGS,
            "gene": ("gene",),
            "variant": ("variant",),
        },
        _LITERATURE,
    ),
}
_THRESHOLDS: Final = {"": 0.5, "dose": 0.7, "anatomy": 0.7, "gene": 0.7, "variant": 0.7}
"""A missed dose, organ or gene costs less than a wrong node; the rest as calibrated."""

_THINGS: Final = {
    "condition": "disease",
    "symptom": "disease",
    "medication": "chemical",
    "gene": "gene",
    "variant": "variant",
}


def _relations() -> dict[tuple[str, str, str], str]:
    """BioRED's labels have no direction; the two types tell it where there is one."""
    found: dict[tuple[str, str, str], str] = {}
    for finding in _DISEASES:
        found["Negative_Correlation", "medication", finding] = "treats"
        found["Positive_Correlation", "medication", finding] = "causes"
        for gene in _GENES:
            found["Positive_Correlation", gene, finding] = "increases"
            found["Negative_Correlation", gene, finding] = "decreases"
    for gene in _GENES:
        found["Positive_Correlation", "medication", gene] = "increases"
        found["Negative_Correlation", "medication", gene] = "decreases"
        for other in _GENES:
            found["Positive_Correlation", gene, other] = "increases"
            found["Negative_Correlation", gene, other] = "decreases"
    found["Drug_Interaction", "medication", "medication"] = "interacts_with"
    found["Cotreatment", "medication", "medication"] = "given_with"
    found["Comparison", "medication", "medication"] = "compared_with"
    found["Conversion", "medication", "medication"] = "converts_to"
    found["Positive_Correlation", "medication", "medication"] = "increases"
    found["Negative_Correlation", "medication", "medication"] = "decreases"
    for one in _THINGS:
        for other in _THINGS:
            found["Association", one, other] = "associated_with"
            found["Bind", one, other] = "binds"
    return found


@cache
def tags() -> Tags:
    """How clinical texts read the tagger."""
    return Tags(
        sets=_SETS,
        thresholds=_THRESHOLDS,
        assertion="assertion",
        asserted=frozenset(_DISEASES),  # its sentences are annotated for findings alone
        # Of what is at least so sure .69 has the right type and .81 the right pair, in folds of the
        # training abstracts; of what the head would say at all, half. A wrong edge costs more.
        pairs=PairSet("relation", _THINGS, _relations(), _LITERATURE, threshold=0.6),
    )
