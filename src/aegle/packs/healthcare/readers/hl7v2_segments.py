"""HL7 v2 segments as readable lines with coded facts, one function a segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import squeeze
from aegle.packs.healthcare.readers.hl7v2_message import Segment
from aegle.packs.healthcare.readers.hl7v2_teller import Teller, coded

_VITALS: Final = frozenset(
    "8867-4 8480-6 8462-4 8310-5 9279-1 2708-6 59408-5 29463-7 3141-9 8302-2 39156-5".split()
)
_FLAGS: Final = {
    "H": "high",
    "L": "low",
    "HH": "critically high",
    "LL": "critically low",
    "A": "abnormal",
    "AA": "critically abnormal",
    "N": "normal",
}
_QUIET: Final = frozenset(
    "MSH SFT EVN ARV UAC FHS BHS BTS FTS ROL PRT TQ1 RGS PDA BLG CTI INV".split()
)
_VISIT: Final = {"I": "inpatient", "O": "outpatient", "E": "emergency", "P": "preadmit"}


def tell(teller: Teller) -> None:
    """Append all segments of a message in order."""
    message = teller.message
    when = codes.shown(codes.iso_of_ts(message.first("MSH", 7)))
    teller.out.add(
        f"HL7 message {message.kind or 'of unknown type'}{f', {when}' if when else ''}\n"
    )
    for segment in message.segments:
        one = _TELLERS.get(segment.name)
        if one is not None:
            one(teller, segment)
        elif segment.name not in _QUIET:
            teller.rest(segment)


def _pid(teller: Teller, segment: Segment) -> None:
    prefix, given, middle, family = (segment.get(5, part) for part in (5, 2, 3, 1))
    name = " ".join(part for part in (prefix, given, middle, family) if part)
    teller.out.add("Patient: ")
    mention = teller.out.mention(name or "the patient", "patient", ref=teller.message.group)
    if teller.patient is None:
        teller.patient = mention
    born = codes.iso_of_ts(segment.get(7))[:10]
    sex = {"M": "male", "F": "female"}.get(segment.get(8), "")
    ids = segment.get(3)
    teller.end(sex, f"born {born}" if born else "", f"MRN {ids}" if ids else "")
    street = " ".join(sub for one in segment.repeats(11)[:1] for sub in one[0] if sub)
    parts = [squeeze(street), *(segment.get(11, part) for part in (3, 4, 5))]
    address = ", ".join(part for part in parts if part)
    teller.out.add(f"Address: {address}\n" if address else "")
    phone = segment.get(13) or segment.get(13, 12)
    teller.out.add(f"Phone: {phone}\n" if phone else "")


def _pv1(teller: Teller, segment: Segment) -> None:
    kind = _VISIT.get(segment.get(2), segment.get(2))
    start, end = codes.iso_of_ts(segment.get(44)), codes.iso_of_ts(segment.get(45))
    teller.out.add(f"Visit: {kind or 'of unknown class'}")
    ward, room, bed = (segment.get(3, part) for part in (1, 2, 3))
    if ward:
        teller.out.add(", in ")
        place = teller.out.mention(ward, "ward", time=start)
        teller.out.link(teller.patient, place, "stays_in", start)
    teller.end(
        f"room {room}" if room else "",
        f"bed {bed}" if bed else "",
        segment.get(3, 4),
        f"from {codes.shown(start)}" if start else "",
        f"until {codes.shown(end)}" if end else "",
        f"service {segment.get(10)}" if segment.get(10) else "",
    )
    for field, word in ((7, "Attending"), (8, "Referring"), (9, "Consulting"), (17, "Admitting")):
        teller.person(word, segment, field)


def _pv2(teller: Teller, segment: Segment) -> None:
    found, reason = coded(segment, 3)
    if reason:
        teller.fact("Admit reason", segment, 3, "condition", "has_condition")
        teller.end(concepts=found)


def _obx(teller: Teller, segment: Segment) -> None:
    if teller.document_text(segment):
        return
    found, name = coded(segment, 3)
    time = codes.iso_of_ts(segment.get(14))
    vital = any(one.system == "LOINC" and one.code in _VITALS for one in found)
    type, relation = ("vital", "has_vital") if vital else ("lab", "has_result")
    cancelled = segment.get(11) in ("D", "W", "X")
    mention = teller.fact(
        "Vital sign" if vital else "Result",
        segment,
        3,
        type,
        relation,
        time=time,
        assertion="negated" if cancelled else "present",
        own_text="" if name else "unnamed result",
    )
    if mention is None:
        return
    teller.out.add(f" {_value(segment)}".rstrip())
    flag = segment.get(8)
    span = segment.get(7)
    status = "cancelled" if cancelled else ""
    reference = f"reference {span}" if span else ""
    teller.end(_FLAGS.get(flag, flag), reference, status, codes.shown(time), concepts=found)


def _value(segment: Segment) -> str:
    """The value of an OBX with its unit."""
    kind = segment.get(2)
    if kind in ("CE", "CWE", "CNE", "CF"):
        told = [coded(segment, 5, n)[1] for n in range(len(segment.repeats(5)))]
    elif kind in ("TS", "DT", "DTM"):
        told = [codes.shown(codes.iso_of_ts(segment.get(5))) or segment.get(5)]
    elif kind == "SN":
        told = ["".join(segment.get(5, part) for part in (1, 2, 3, 4))]
    else:
        told = [squeeze(line) for line in segment.text(5).split("\n")]
    unit = segment.get(6)
    value = ", ".join(one for one in told if one)
    return f"{value} {unit}".strip() if value else "no value"


def _nte(teller: Teller, segment: Segment) -> None:
    note = segment.text(3)
    teller.out.add(f"Note: {squeeze(note)}\n" if note else "")


def _dg1(teller: Teller, segment: Segment) -> None:
    found, name = coded(segment, 3)
    system = segment.get(2)
    if not found and segment.get(3):
        found = codes.ordered([codes.concept(system, segment.get(3), segment.get(4))])
    text = segment.get(3, 2) or segment.get(4) or name
    time = codes.iso_of_ts(segment.get(5))
    kind = {"A": "admitting", "W": "working", "F": "final"}.get(segment.get(6), "")
    assertion = "possible" if kind == "working" else "present"
    if text:
        teller.out.add("Diagnosis: ")
        mention = teller.out.mention(
            text, "condition", concepts=found, assertion=assertion, time=time
        )
        teller.out.link(teller.patient, mention, "has_condition", time)
        teller.end(kind, codes.shown(time), concepts=found)


def _prb(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 3)
    time = codes.iso_of_ts(segment.get(16)) or codes.iso_of_ts(segment.get(2))
    gone = segment.get(1) == "DE"
    if (
        teller.fact(
            "Problem",
            segment,
            3,
            "condition",
            "has_condition",
            time=time,
            assertion="negated" if gone else "present",
        )
        is not None
    ):
        teller.end(
            "deleted" if gone else segment.get(13).lower(), codes.shown(time), concepts=found
        )


def _allergy(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 3)
    time = codes.iso_of_ts(segment.get(6 if segment.name == "AL1" else 11))
    head = teller.fact("Allergy", segment, 3, "allergy", "allergic_to", time=time)
    if head is None:
        return
    severity = {"MI": "mild", "MO": "moderate", "SV": "severe"}.get(segment.get(4), segment.get(4))
    teller.out.add(f", {severity}" if severity else "")
    for n in range(len(segment.repeats(5))):
        teller.out.add(", reaction ")
        sign = teller.out.mention(
            coded(segment, 5, n)[1], "symptom", concepts=coded(segment, 5, n)[0]
        )
        teller.out.link(head, sign, "causes", time)
    teller.end(codes.shown(time), concepts=found)


def _pr1(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 3)
    time = codes.iso_of_ts(segment.get(5))
    if teller.fact("Procedure", segment, 3, "procedure", "had_procedure", time=time) is not None:
        teller.end(codes.shown(time), concepts=found)


def _medication(teller: Teller, segment: Segment) -> None:
    """RXO, RXE, RXD, RXG: an order, an encoded order, a dispense, a give."""
    field, dose, unit = {"RXO": (1, 2, 4), "RXE": (2, 3, 5), "RXD": (2, 4, 5)}.get(
        segment.name, (4, 5, 7)
    )
    found, _ = coded(segment, field)
    head = teller.fact("Medication", segment, field, "medication", "takes")
    if head is None:
        return
    _dose(teller, segment, head, dose, unit)
    teller.end(squeeze(segment.text(7)) if segment.name in ("RXO", "RXE") else "", concepts=found)


def _dose(teller: Teller, segment: Segment, head: int, dose: int, unit: int) -> None:
    amount, name = segment.get(dose), coded(segment, unit)[1]
    if amount and any(letter.isdigit() for letter in amount):
        teller.out.add(", dose ")
        tail = teller.out.mention(f"{amount} {name}".strip(), "dose")
        teller.out.link(head, tail, "has_dose")


def _rxa(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 5)
    time = codes.iso_of_ts(segment.get(3))
    refused = segment.get(20) in ("RE", "NA")
    vaccine = teller.message.kind.startswith("VXU") or any(one.system == "CVX" for one in found)
    head = teller.fact(
        "Immunization" if vaccine else "Medication given",
        segment,
        5,
        "immunization" if vaccine else "medication",
        "had_immunization" if vaccine else "takes",
        time=time,
        assertion="negated" if refused else "present",
    )
    if head is not None:
        _dose(teller, segment, head, 6, 7)
        teller.end("refused" if refused else "", codes.shown(time), concepts=found)


def _sch(teller: Teller, segment: Segment) -> None:
    reason = coded(segment, 7)[1] or coded(segment, 6)[1]
    status = coded(segment, 25)[1]
    teller.out.add("Appointment")
    teller.end(f"for {reason}" if reason else "", coded(segment, 8)[1], status)


def _ais(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 3)
    time = codes.iso_of_ts(segment.get(4))
    if (
        teller.fact(
            "Booked service",
            segment,
            3,
            "procedure",
            "had_procedure",
            time=time,
            assertion="hypothetical",
        )
        is not None
    ):
        teller.end(codes.shown(time), concepts=found)


def _aig(teller: Teller, segment: Segment) -> None:
    if (
        teller.fact(
            "Booked resource", segment, 3, "device", "uses_device", assertion="hypothetical"
        )
        is not None
    ):
        teller.end(codes.shown(codes.iso_of_ts(segment.get(8))))


def _ail(teller: Teller, segment: Segment) -> None:
    place = segment.get(3, 2) or segment.get(3)
    if place:
        teller.out.add("Booked place: ")
        teller.out.mention(place, "ward")
        teller.end(segment.get(3, 4), codes.shown(codes.iso_of_ts(segment.get(6))))


def _aip(teller: Teller, segment: Segment) -> None:
    teller.person("Booked provider", segment, 3)


def _spm(teller: Teller, segment: Segment) -> None:
    name = coded(segment, 4)[1]
    time = codes.shown(codes.iso_of_ts(segment.get(17)))
    teller.out.add(f"Specimen: {name}{f', {time}' if time else ''}\n" if name else "")


def _kin(teller: Teller, segment: Segment) -> None:
    field = {"NK1": 2, "GT1": 3}[segment.name]
    word = {"NK1": "Next of kin", "GT1": "Guarantor"}[segment.name]
    name = " ".join(part for part in (segment.get(field, 2), segment.get(field, 1)) if part)
    role = coded(segment, 3 if segment.name == "NK1" else 11)[1]
    teller.out.add(f"{word}: {name}{f', {role}' if role else ''}\n" if name else "")


def _in1(teller: Teller, segment: Segment) -> None:
    plan = coded(segment, 2)[1]
    company = segment.get(4)
    told = ", ".join(part for part in (plan, company) if part)
    teller.out.add(f"Insurance: {told}\n" if told else "")


def _mrg(teller: Teller, segment: Segment) -> None:
    old = segment.get(1)
    teller.out.add(f"Merged from record: {old}\n" if old else "")


def _ft1(teller: Teller, segment: Segment) -> None:
    found, _ = coded(segment, 25)
    time = codes.iso_of_ts(segment.get(4))
    if (
        teller.fact("Charged procedure", segment, 25, "procedure", "had_procedure", time=time)
        is not None
    ):
        teller.end(codes.shown(time), concepts=found)
    for n in range(len(segment.repeats(19))):
        found, _ = coded(segment, 19, n)
        if (
            teller.fact("Diagnosis", segment, 19, "condition", "has_condition", time=time, repeat=n)
            is not None
        ):
            teller.end(codes.shown(time), concepts=found)


_Tell = Callable[[Teller, Segment], None]
_TELLERS: Final[dict[str, _Tell]] = {
    "PID": _pid,
    "PV1": _pv1,
    "PV2": _pv2,
    "OBR": Teller.order,
    "OBX": _obx,
    "NTE": _nte,
    "DG1": _dg1,
    "PRB": _prb,
    "AL1": _allergy,
    "IAM": _allergy,
    "PR1": _pr1,
    "RXO": _medication,
    "RXE": _medication,
    "RXD": _medication,
    "RXG": _medication,
    "RXA": _rxa,
    "TXA": Teller.start_document,
    "SCH": _sch,
    "AIS": _ais,
    "AIG": _aig,
    "AIL": _ail,
    "AIP": _aip,
    "SPM": _spm,
    "NK1": _kin,
    "GT1": _kin,
    "IN1": _in1,
    "MRG": _mrg,
    "FT1": _ft1,
}
