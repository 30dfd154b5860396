"""ConText cues of clinical notes: what denies, doubts, dates, supposes, or speaks of the family.

The lists are our own, written from how notes are worded; the published trigger lists were tuned on
the very sentences that benchmarks/assertion.py measures with, so none was copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Cue

_LISTS: Final = (
    (
        "negated",
        "forward",
        15,
        """no; not; without; denies; denied; denying; deny; negative for; neg for; free of;
        absence of; absent; never; never had; no evidence of; no sign of; no signs of;
        no history of; no h/o; no hx of; no known; no history of known; no known history of;
        no past history of; no prior history of; denies history of; denies any history of;
        denies prior; no complaints of; no complaint of;
        no longer; does not have; did not have; do not have; doesn't have; does not show;
        did not show; did not reveal; no significant; no obvious; no definite; no new;
        no acute; no further; no other; no recent; no prior; no previous; no apparent;
        no clear; no focal; no gross; no overt; no clinical evidence of;
        no radiographic evidence of; no findings of; no suggestion of; no indication of;
        not have; not had; not show; not demonstrate; not reveal; not appear;
        not demonstrated; no mention of; has no; had no; have no; with no; were no; was no;
        there is no; there was no; there were no; there are no; is not; was not; are not;
        were not; has not had; ruled out for; r/o'd; -ve for; ve for; unremarkable for;
        fails to reveal; failed to reveal; failed to show; lack of; lacks; lacking; neither;
        nor; none of; w/o; cannot see; rather than; declines; declined; refused; resolved;
        cleared of; patient was not; test for; reveals no; revealed no; shows no; showed no;
        non; nonspecific for; instead of; unable to identify; not associated with;
        non-tender; (-); unlikely; less likely""",
    ),
    (
        "negated",
        "backward",
        8,
        """was ruled out; were ruled out; is ruled out; are ruled out; ruled out;
        has been ruled out; have been ruled out; was negative; were negative; is negative;
        are negative; negative; not seen; not identified; not present; not appreciated;
        not noted; not found; not detected; not visualized; not demonstrated; not evident;
        not palpable; absent; was excluded; excluded; unlikely; was not seen; were not seen;
        is not seen; denied; no longer present; not observed; none; not elicited;
        was not found; were not found; was absent; were absent; is absent; are absent;
        not reported; not heard; not felt; has resolved; have resolved; resolved; was denied""",
    ),
    (
        "possible",
        "forward",
        12,
        """possible; possibly; probable; probably; likely; suspected; suspicious for;
        suspicion of; suspicion for; suspect; rule out; r/o; ro; question of; questionable;
        concern for; concerning for; concerned about; consider; considered;
        differential includes; differential diagnosis includes; ddx; ddx includes; versus;
        vs; may be; may have; may represent; might be; might have; might represent; could be;
        could represent; could have; cannot rule out; cannot exclude; can't rule out;
        can not exclude; not excluded; evaluate for; evaluation for; workup for; work up for;
        worrisome for; compatible with; consistent with possible; appears to be; presumed;
        presumptive; presumably; suggestive of; suggests; perhaps; maybe; equivocal for;
        assess for; to assess for; look for; if there is any; whether; be ruled out for;
        doubtful;
        must be ruled out for; should be ruled out for""",
    ),
    (
        "possible",
        "backward",
        8,
        """is possible; are possible; possible; is suspected; suspected; was suspected;
        is likely; likely; cannot be excluded; cannot be ruled out; not excluded;
        not ruled out; has not been ruled out; can not be excluded; not be ruled out;
        should be ruled out; must be ruled out; to be ruled out; be ruled out;
        is questionable; questionable; is considered; was considered; is probable;
        is in the differential; versus; vs""",
    ),
    (
        "historical",
        "forward",
        12,
        """history of; hx of; h/o; hx; past history of; past medical history of; pmh of;
        pmhx of; past medical history significant for; past medical history;
        medical history significant for; past medical history is significant for;
        history significant for; history is significant for; history notable for;
        history is notable for; past medical history notable for; past surgical history;
        known history of; status post; s/p; previous; previously; prior; past; remote;
        remote history of; old; former; formerly; in the past had; had a prior; childhood;
        prior history of; previous history of; long history of; longstanding history of;
        significant history of; medical history of; medical history; surgical history of;
        surgical history; history includes; history of prior; psh; pmh; recent history of;
        background history of; known to have had; history consistent with;
        history remarkable for; history is remarkable for;
        past medical history remarkable for; past medical history includes;
        psychiatric history of; social history; personal history of; patient history;
        history of known; history of prior; previously treated for; previously diagnosed with;
        hospitalized in the past for; once had""",
    ),
    # Who and when are asked apart: what is denied or of the family may be of the past as well.
    (
        "historical",
        "forward",
        12,
        """no history of; no h/o; no hx of; no known; no prior; no previous; never had;
        no history of known; no known history of; no past history of; no prior history of;
        denies history of; denies any history of; denies prior; family history of;
        family hx of; fh of; fhx of""",
    ),
    (
        "historical",
        "backward",
        8,
        """in the past; years ago; year ago; months ago; month ago; weeks ago; in childhood;
        as a child; by history; history; in remission; since childhood; years earlier;
        years previously; decades ago; last year; previously; as a teenager; as a baby;
        as an infant; in her teens; in his teens;
        in her twenties; in his twenties; in her youth; in his youth; in adolescence;
        in infancy; at birth; back in""",
    ),
    (
        "family",
        "forward",
        12,
        """family history of; family hx of; fh of; fhx of; family history; fh; fhx;
        family history is significant for; family history significant for;
        family history positive for; family history includes; family history notable for;
        mother; father; mom; dad; brother; sister; siblings; sibling; aunt; uncle;
        grandmother; grandfather; grandparents; grandparent; cousin; parents; parent;
        maternal; paternal; son; daughter; half-brother; half-sister; family member;
        family members; relatives; relative; niece; nephew; twin brother; twin sister;
        mother's; father's; wife; husband; spouse; wife's; husband's; spouse's""",
    ),
    (
        "family",
        "backward",
        8,
        """in his mother; in her mother; in his father; in her father; in the mother;
        in the father; in mother; in father; in his brother; in her brother; in his sister;
        in her sister; in brother; in sister; in a sibling; in siblings; in the family;
        runs in the family; in family members; in his family; in her family; in aunt;
        in uncle; in grandmother; in grandfather; on mother's side; on father's side""",
    ),
    (
        "hypothetical",
        "forward",
        12,
        """if; if any; if you; if you have; if you develop; if he develops; if she develops;
        if patient; if symptoms; return if; return for; return to the ed for;
        return to ed for; call if; call for; in case of; in the event of; should he develop;
        should she develop; should you develop; should the patient develop; as needed for;
        prn for; p.r.n. for; to prevent; for prevention of; prophylaxis for;
        prophylaxis against; prophylaxis of; at risk for; risk of; risk for; risks include;
        risks including; risks of; watch for; watch out for; monitor for; monitoring for;
        precautions; educated about; educated on; counseled on; counselled about;
        counseled about; advised to return for; instructed to return for; come back if;
        come back for; seek care for; seek medical attention for; seek medical attention if;
        screening for; screen for; unless; side effects include; potential for;
        potential complications; to avoid; observe for; signs of; signs and symptoms of;
        when you have; until; would be at risk for""",
    ),
    # In a list of medications the next one is not taken as needed as well.
    ("hypothetical", "forward", 2, "prn; p.r.n."),
    # "?PE"; behind a name, a question mark is a head: "pneumonia?".
    ("possible", "forward", 2, "?"),
    (
        "hypothetical",
        "forward",
        6,
        "vaccinated against; vaccinated for; immunized against; immunised against; vaccine for; "
        "vaccine against; vaccination against; vaccination for; immunization against",
    ),
    (
        "hypothetical",
        "forward",
        4,
        "due for; overdue for; eligible for; candidate for; scheduled for; planned for; awaiting",
    ),
    ("hypothetical", "backward", 2, "due; overdue; is due; past due"),
    (
        "negated",
        "backward",
        3,
        "declined; refused; was declined; was refused; deferred; not given; not received; "
        "not administered; contraindicated",
    ),
    ("", "pseudo", 0, "prn ,; p.r.n. ,; prn /; prn |"),
    (
        "",
        "stop",
        0,
        """but; however; although; though; yet; except; except for; aside from; apart from;
        besides; which; who; secondary to; due to; because; because of; since; still;
        nevertheless; as well as a; presents; presented; presenting; presents with;
        presented with; presenting with; complains of; complaining of; complained of;
        reports; reported; reporting; noted; notes; states; stated; was found to have;
        found to have; found to be; is found to have; was found; were found; admits;
        admits to; endorses; endorsed; now with; now has; now presents with; today;
        currently; this time; ;; therefore; so; then; until; while; whereas; he has; she has;
        patient has; pt has; the patient has; he had; she had; as the cause of;
        as the source of; as the reason of; as the reason for; as a cause of; as a cause for;
        as an etiology for; as the etiology of; cause of; causing; caused by; origin for;
        origin of; reason for; reason of; source of; trigger event for; remains; remained;
        in the setting of; positive for; did have; does have; significant for;
        consistent with; and has; and had; and was; and is; but has; and now; and then;
        developed; who presents; who presented; admitted with; admitted for; other than;
        she is; he is; she was; he was; the patient is; the patient was; appears""",
    ),
    (
        "",
        "pseudo",
        0,
        """no increase; no increased; no decrease; no change; no changes; no significant change;
        no significant changes; no interval change; no significant interval change;
        without change; no suspicious change; without difficulty; without any difficulty;
        without further; not only; not certain whether; not certain if; not necessarily;
        not drain; not rule out; not ruled out for; gram negative; no further workup;
        not clear; not fully; no doubt; without any further; no improvement; no relief;
        no response; no treatment; not cause; not causing; not related to; not responding to;
        not extend; not helped by; not improved; not relieved by; if not; or not;
        whether or not; not tolerate; not able to; not taking; not take; no longer taking;
        history of present illness; history and physical; history, physical; history taking;
        poor history; social history; history obtained; history unobtainable; brief history;
        history limited; sexual history; hospital course; day history of; days history of;
        day hx of; week history of; weeks history of; month history of; months history of;
        hour history of; hours history of; year history of; as per history; history given;
        hpi; previous visit; prior visit; prior to admission; prior to; prior to arrival;
        previous study; prior study; prior exam; previous exam; prior examination;
        previous examination; compared to prior; compared with prior; as previously noted;
        previously noted; previously described; by his mother; by her mother; by his father;
        by her father; by his sister; by her sister; by his brother; by her brother;
        by a family member; by family members; by his wife; by her husband; wife reports;
        husband reports; wife states; husband states; per wife; per husband; wife says;
        husband says; lives with wife; lives with husband; lives with his wife;
        lives with her husband; with his wife; with her husband; mother reports;
        mother states; father states; father reports; per mother; per father;
        with his mother; with her mother; lives with his mother; lives with her mother;
        lives with his daughter; lives with her daughter; lives with her son;
        lives with his son; per daughter; per son; daughter reports; daughter states;
        by her daughter; by his daughter; by her son; by his son; know if; see if;
        negative for any change; likely to; old records; old record; year old; years old;
        month old; old man; old woman; old male; old female; old gentleman; old lady;
        not pregnant; mother and father; non-small; non small; non hodgkin; non insulin;
        not otherwise specified; non st; non steroidal""",
    ),
)

_YEARS: Final = range(1940, 2040)
"""A year that is named with what happened in it is over; dates were shifted by up to a year."""

_HEADS: Final = (
    ("", "immunization", "vaccine; vaccination; immunization; immunisation; vaccine series"),
    (
        "",
        "lab",
        """antibody; surface antibody; core antibody; antigen; surface antigen; e antigen; titer;
        titre; serology; PCR; DNA; RNA; IgG; IgM; test; antibody test; antigen test; rapid test;
        swab""",
    ),
    ("possible", "", "workup; work up; rule out; protocol; pathway; alert; code; watch; ?"),
    (
        "hypothetical",
        "",
        """clinic; unit; ward; center; centre; hospital; institute; department; team; service;
        nurse; specialist; educator; consultant; navigator; committee; society; association;
        foundation; registry; program; programme; group; support group; conference; awareness;
        hotline; helpline; trial; study; research; guideline; bundle; action plan; care plan;
        screening; screen; screening test; screening questionnaire; questionnaire; inventory;
        checklist; risk; risk factor; risk score; risk assessment; precaution; prophylaxis;
        prevention; exposure; contact; education; counseling; counselling; teaching; handout;
        leaflet; pamphlet; brochure; information sheet; hygiene; kit; like illness;
        like symptom; like syndrome; like picture""",
    ),
    # A field of a form, and not the noun of the name before it: "Diagnosis: Stroke Unit: ICU-3".
    (
        "",
        "",
        """unit :; ward :; service :; department :; team :; hospital :; center :; clinic :; nurse :;
        code :; contact :; specialist :; consultant :; group :; pcr :; test :; study :; program :;
        protocol :; education :; alert :; specialty :; risk :; risk factor :; precaution :""",
    ),
)

_SECTIONS: Final = (
    ("family", "family history; fh; fhx; family hx; family medical history"),
    (
        "historical",
        """past medical history; pmh; pmhx; medical history; past history;
        past surgical history; psh; surgical history; past medical/surgical history;
        past medical and surgical history; previous medical history; history of past illness;
        past psychiatric history; previous operations; past surgeries; obstetric history;
        ob history""",
    ),
    (
        "hypothetical",
        """return precautions; discharge instructions; precautions; patient instructions;
        when to call; when to seek help; return to ed if; instructions; warning signs""",
    ),
    (
        "present",
        """chief complaint; cc; history of present illness; hpi; present illness; medications;
        current medications; home medications; medications on admission;
        discharge medications; allergies; allergy; social history; sh; review of systems;
        ros; physical exam; physical examination; pe; exam; vital signs; vitals; labs;
        laboratory data; laboratory; results; imaging; radiology; assessment;
        assessment and plan; a/p; a&p; plan; impression; diagnosis; diagnoses;
        discharge diagnosis; discharge diagnoses; final diagnosis; admission diagnosis;
        admitting diagnosis; principal diagnosis; problem list; problems; hospital course;
        brief hospital course; findings; indication; disposition; procedures; procedure;
        follow up; follow-up; subjective; objective; s; o; a; p; active problems;
        nursing note; course; ed course; interval history; general; heent; neck; lungs;
        heart; abdomen; extremities; neuro; neurologic; neurological; skin; cardiovascular;
        chest; respiratory; immunizations; devices; overnight events; reason for admission;
        reason for visit; condition on discharge; comparison; technique; clinical history""",
    ),
)


@cache
def cues() -> Sequence[Cue]:
    """Every cue and section heading of clinical notes."""
    return tuple(_all())


def _all() -> Iterator[Cue]:
    for assertion, direction, reach, phrases in _LISTS:
        for phrase in _phrases(phrases):
            yield Cue(phrase, assertion, direction, reach)
    for year in _YEARS:
        yield Cue(f"in {year}", "historical", "backward", 8)
    for assertion, type_, phrases in _HEADS:
        for phrase in _phrases(phrases):
            yield Cue(phrase, assertion, "head", type=type_)
    for assertion, phrases in _SECTIONS:
        for phrase in _phrases(phrases):
            yield Cue(phrase, assertion, "section", 0)


def _phrases(text: str) -> Iterator[str]:
    for phrase in text.split(";"):
        if cleaned := " ".join(phrase.split()):
            yield cleaned
