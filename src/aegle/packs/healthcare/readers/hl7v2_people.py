"""Identifiers that an HL7 v2 message states: patient, kin, guarantor, insured, providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegle.core.records import Identifier
from aegle.packs.healthcare.readers import codes, people
from aegle.packs.healthcare.readers.hl7v2_message import Message, Segment

# Segment -> fields of each data type. XPN: a person's name; XCN: an id and a name; XAD: an
# address; XTN: a telephone; CX: an id; TS: a birth or death date.
_XPN: Final = {
    "PID": (5, 6, 9),
    "NK1": (2, 30),
    "GT1": (3, 4, 42, 45),
    "IN1": (16, 7),
    "IN2": (7, 40, 52),
    "MRG": (7,),
    "PRD": (2,),
    "CTD": (2,),
    "STF": (3,),
}
_XCN: Final = {
    "EVN": (5,),
    "PD1": (4,),
    "PV1": (7, 8, 9, 17, 52),
    "PV2": (13,),
    "ORC": (10, 11, 12, 19),
    "OBR": (10, 16, 28),
    "OBX": (16, 25),
    "DG1": (16,),
    "PR1": (8, 11, 12),
    "ROL": (4,),
    "PRT": (5,),
    "RXA": (10,),
    "RXE": (13,),
    "RXO": (14,),
    "TXA": (5, 9, 10, 11, 22, 23),
    "SCH": (12, 16, 20),
    "AIP": (3,),
    "NTE": (5,),
    "FT1": (20, 21, 24),
    "ACC": (7,),
    "PDA": (5, 8),
    "CON": (24,),
    "RF1": (18, 19, 20, 21, 22),
}
_XAD: Final = {
    "PID": (11,),
    "NK1": (4, 33),
    "GT1": (5, 17),
    "IN1": (5, 19, 44),
    "ROL": (11,),
    "PRT": (14,),
    "PRD": (3,),
    "CTD": (3,),
    "ORC": (22, 24),
    "RXA": (28,),
}
_XTN: Final = {
    "PID": (13, 14, 40),
    "NK1": (5, 6, 31, 40),
    "GT1": (6, 7, 18),
    "IN1": (7,),
    "IN2": (58, 63, 64),
    "ROL": (12,),
    "PRT": (15,),
    "PRD": (5,),
    "CTD": (5,),
    "ORC": (14, 23),
}
_CX: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    "PID": (
        (2, "mrn"),
        (3, "mrn"),
        (4, "mrn"),
        (18, "account"),
        (19, "ssn"),
        (20, "licence"),
        (21, "mrn"),
    ),
    "MRG": ((1, "mrn"), (2, "mrn"), (3, "account"), (4, "mrn"), (5, "account")),
    "NK1": ((12, "mrn"), (33, "mrn"), (37, "ssn")),
    "GT1": ((2, "account"), (12, "ssn"), (19, "account")),
    "IN1": ((36, "health_plan"), (49, "health_plan")),
    "IN2": (
        (1, "mrn"),
        (2, "ssn"),
        (6, "health_plan"),
        (8, "health_plan"),
        (10, "health_plan"),
        (61, "health_plan"),
    ),
    "PV1": ((5, "account"), (19, "account"), (50, "account")),
    "FT1": ((2, "account"),),
}
_BIRTH: Final = {"PID": (7, 29), "NK1": (16,), "GT1": (8,), "IN1": (18,)}


def message_identifiers(message: Message) -> Iterator[Identifier]:
    """Every name, number, address and birth date of a person in a message."""
    for segment in message.segments:
        name = segment.name
        for field in _XPN.get(name, ()):
            for n in range(len(segment.repeats(field))):
                yield from _name(segment, field, n, first=1)
        for field in _XCN.get(name, ()):
            for n in range(len(segment.repeats(field))):
                yield from _name(segment, field, n, first=2)
        for field in _XAD.get(name, ()):
            yield from _addresses(segment, field)
        for field in _XTN.get(name, ()):
            yield from _phones(segment, field)
        for field, kind in _CX.get(name, ()):
            yield from _ids(segment, field, kind)
        for field in _BIRTH.get(name, ()):
            day = codes.iso_of_ts(segment.get(field))[:10]
            yield from people.identifier("date", day if len(day) == 10 else "")


def own_numbers(message: Message) -> Iterator[Identifier]:
    """The patient's own record numbers: those of PID-3, no relative's and no former one."""
    pid = next(message.all("PID"), None)
    if pid is None:
        return
    for n, parts in enumerate(pid.repeats(3)):
        kind = people.kind_of_id(pid.get(3, 5, n))
        assigner = next((sub for sub in (parts[3] if len(parts) > 3 else ()) if sub), "")
        yield from people.number(kind, pid.get(3, 1, n), assigner)


def own_person(message: Message) -> Iterator[Identifier]:
    """The patient's own name and date of birth: PID-5 and PID-7."""
    pid = next(message.all("PID"), None)
    if pid is not None:
        name = " ".join(part for n in (2, 3, 1) if (part := pid.get(5, n, 0)))
        yield from people.own(name, codes.iso_of_ts(pid.get(7)))


def _name(segment: Segment, field: int, n: int, *, first: int) -> Iterator[Identifier]:
    """A name whose family part is component ``first``: family, given, middle."""
    family, given = segment.get(field, first, n), segment.get(field, first + 1, n)
    if not family and not given and first == 2:
        return  # an id without a name
    middle = segment.get(field, first + 2, n)
    yield from people.name(given, middle, family)
    yield from people.name(given, family)


def _addresses(segment: Segment, field: int) -> Iterator[Identifier]:
    for one in segment.repeats(field):
        lines = [sub for part in one[:2] for sub in part]
        lines.append(" ".join(sub for sub in one[0] if sub))
        city = one[2][0] if len(one) > 2 and one[2] else ""
        postcode = one[4][0] if len(one) > 4 and one[4] else ""
        yield from people.address(lines, city, postcode)


def _phones(segment: Segment, field: int) -> Iterator[Identifier]:
    for n in range(len(segment.repeats(field))):
        parts = [segment.get(field, part, n) for part in (1, 2, 3, 4, 6, 7, 12)]
        number, _use, equipment, mail, area, local, whole = parts
        for value in (number, whole, mail if "@" in mail else ""):
            yield from people.telecom(equipment, value)
        if area and local:
            for value in (f"({area}){local}", f"{area}-{local}", area + local):
                yield from people.telecom(equipment, value)


def _ids(segment: Segment, field: int, kind: str) -> Iterator[Identifier]:
    for n in range(len(segment.repeats(field))):
        type_code = segment.get(field, 5, n)
        told = people.kind_of_id(type_code) if type_code and kind == "mrn" else kind
        yield from people.identifier(told, segment.get(field, 1, n))
