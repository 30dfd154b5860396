"""Relations of clinical text: what ties a patient, a medication, a finding and a measurement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule
from aegle.packs.general.rules import said, shared_rules

_ALLERGY = r"allerg(?:y|ies|ic)|intoleran(?:t|ce)|anaphylaxis to|adverse reactions?"
_TREATS = (
    r"for|to treat|treats?|treated|treatment of|given for|managed with|indicated|therapy|controls?|"
    r"controlled with|on"
)
# With a medication at one end the direction is plain, whichever stands first.
_CAUSED_BY = (
    r"caus(?:es?|ed|ing)|induced|due to|secondary to|because of|result(?:s|ed)? (?:in|from)|"
    r"led to|leads to|associated with|precipitated|attributed to"
)
_CAUSES = r"caus(?:es?|ing)|led to|leads to|leading to|result(?:s|ed|ing)? in|manifested by"
_NO_STOP = re.compile(r"^[^,;.\n]*$")


@cache
def rules() -> Sequence[Rule]:
    """Every rule for clinical documents; the first that holds for a pair stands."""
    return (
        # Adjacency: the dose follows its medication, with no comma or stop in between.
        Rule("has_dose", "medication", "dose", _NO_STOP, gap=30, score=0.9),
        Rule("allergic_to", "patient", "medication", said(_ALLERGY), score=0.9),
        Rule("allergic_to", "patient", "allergy", said(_ALLERGY), score=0.9),
        Rule("allergic_to", "patient", "immunization", said(_ALLERGY), score=0.9),
        Rule("takes", "patient", "medication", None, score=0.8),
        Rule("has_condition", "patient", "condition", None, score=0.85),
        Rule("has_symptom", "patient", "symptom", None, score=0.85),
        Rule("had_procedure", "patient", "procedure", None, score=0.75),
        Rule("had_immunization", "patient", "immunization", None, score=0.8),
        Rule("has_result", "patient", "lab", None, score=0.85),
        Rule("has_vital", "patient", "vital", None, score=0.85),
        Rule("stays_in", "patient", "ward", None, score=0.7),
        Rule("uses_device", "patient", "device", None, score=0.6),
        Rule("treats", "medication", "condition", said(_TREATS), gap=60, score=0.7),
        Rule("treats", "medication", "symptom", said(_TREATS), gap=60, score=0.7),
        Rule("treats", "procedure", "condition", said(_TREATS), gap=60, score=0.6),
        Rule("causes", "medication", "symptom", said(_CAUSED_BY), True, gap=60, score=0.6),
        Rule("causes", "medication", "condition", said(_CAUSED_BY), True, gap=60, score=0.6),
        Rule("causes", "condition", "symptom", said(_CAUSES), gap=60, score=0.6),
        Rule("causes", "condition", "condition", said(_CAUSES), gap=60, score=0.6),
        Rule("located_in", "condition", "anatomy", said(r"of|in|to|at"), gap=25, score=0.6),
        Rule("located_in", "symptom", "anatomy", said(r"of|in|to|at"), gap=25, score=0.6),
        *shared_rules(),
    )
