"""Recognisers: what is an identifier, what only looks like one, and no line takes them long."""

import pytest

from aegle.corpus import dates
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.general import identifiers as general
from aegle.packs.healthcare import identifiers as healthcare
from linear import grows_linearly


def found(text: str, pack=healthcare) -> set[str]:
    return {text[f.start : f.end] for recognise in pack.recognisers() for f in recognise(text)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Patient: SMITH, JOHN A", {"SMITH, JOHN A"}),
        ("seen by Dr. O'Brien-Lee in clinic", {"O'Brien-Lee"}),
        ("Mr. Will Brown and Mrs. May", {"Will Brown", "May"}),
        ("MS OKONKWO and MS Hart", {"OKONKWO", "Hart"}),
        ("Attending: Amelia Hart, MD", {"Amelia Hart"}),
        ("/s/ J. Kowalczyk", {"J. Kowalczyk"}),
        ("Son Mark and daughter Hope came", {"Mark", "Hope"}),
        ("Katarzyna Wiśniewska was admitted", {"Katarzyna Wiśniewska"}),
        ("Maria de la Cruz was here", {"Maria de la Cruz"}),
        ("Hello, my name is jonas berg.", {"jonas berg"}),
        ("Suanne858 Abbott774 is 28", {"Suanne858 Abbott774"}),
        ("Jennifer's mother", {"Jennifer"}),
    ],
)
def test_names(text, names):
    assert names <= found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease, Crohn's disease, Bell's palsy, Murphy's sign, Foley catheter",
        "Glasgow Coma Scale 15. Will follow up in May. Brown sputum. Grant him rest.",
        "PAST MEDICAL HISTORY\nALLERGIES: None\nASSESSMENT AND PLAN",
        "Patient denies chest pain. Patient Instructions: Rest. Pt Ambulating.",
        "BP 120/80 HR 72 SpO2 98% T 98.6 WBC 11.2 Na 138, K 4.1; 500 mg po bid x 10 days",
        "Lactated Ringer's 1000 mL at 125 mL/hr. Insulin Glargine 10 units. Vitamin D 50000 IU.",
        "He is 45 years old; a 3-year-old; aged 60. ICU-3, pump PUMP-0042, bed 12.",
        "Transferred to the Emergency Department from the Pain Clinic.",
        "Lives in Nursing Home. Living in Assisted Living. Lives at home in January.",
    ],
)
def test_what_is_no_identifier_in_notes(text):
    assert found(text) == set()


@pytest.mark.parametrize(
    "line",
    [
        "Jan  2 03:04:05 icu3-gw01 sshd[12345]: Failed password for root port 22 ssh2",
        "081109 203615 148 INFO dfs.DataNode$Responder: block blk_38865049064139660 ended",
        "guid 550e8400-e29b-41d4-a716-446655440000 sha256=9f86d081884c7d659a2feaa0c55",
        "- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 RAS KERNEL INFO cache parity error",
        "nova-api version 2013.2.1 build 4.15.0.132 pid 123-45-678 [req-3ea4052c 113d3a99]",
        '{"EventID": 4624, "LogonId": "0x3e7", "ProcessId": 5551234567, "Computer": "WS01"}',
        "Mimikatz and Cobalt Strike were used by Wizard Spider against Windows Server 2019.",
        "NSA MS AppLocker; MS Office and MS AD hold what Applocker blocks",
        "CVE-2021-44228 in Apache Log4j 2.14.1; T1059.001; CWE-79; KB5005565",
    ],
)
def test_what_is_no_identifier_in_logs(line):
    assert found(line, cybersecurity) == set()


def test_people_are_found_in_security_texts():
    text = "Reported by Amelia Hart (a.hart@corp.com, 617-253-1000); SSN 123-45-6789 was leaked."
    assert {"Amelia Hart", "a.hart@corp.com", "617-253-1000", "123-45-6789"} <= found(
        text, cybersecurity
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Tel: +44 20 7946 0958", "+44 20 7946 0958"),
        ("card 4012 8888 8888 1881", "4012 8888 8888 1881"),
        ("IBAN GB29NWBK60161331926819", "GB29NWBK60161331926819"),
        ("a 103-year-old man", "103"),
        ("VIN 1HGCM82633A004352", "1HGCM82633A004352"),
        ("(01)00643169001763(21)ABC123", "(01)00643169001763(21)ABC123"),
        ("12 N. Oak Street Apt 4B\nSpringfield, IL 62704", "Springfield"),
        ("postcode SW1A 1AA", "SW1A 1AA"),
        ("2001:db8:85a3::8a2e:370:7334 said", "2001:db8:85a3::8a2e:370:7334"),
        ("at Saint Vincent Hospital", "Saint Vincent"),
        ("Insurance: Meadow Mutual PPO, member no. QK88123401", "QK88123401"),
        ("Drivers lic. T5512349", "T5512349"),
        ("randomised in trial, subject code ARM-0471", "ARM-0471"),
        ("lesion pictured in PXL_20240102_33.heic", "PXL_20240102_33.heic"),
        ("Biometric enrolment: palm print ID PP-77A1", "PP-77A1"),
        ("Lives with two sons in Eastwick Harbor, retired", "Eastwick Harbor"),
        ("mail goes to 12 Oak Lane, Thornbury; son visits", "12 Oak Lane, Thornbury"),
    ],
)
def test_other_identifiers(text, value):
    assert value in found(text)


@pytest.mark.parametrize("pack", [healthcare, cybersecurity, general], ids=lambda p: p.__name__)
@pytest.mark.parametrize(
    "unit",
    ["a", "A", "1", " ", "1 ", "1-", "1.", "(", "A ", "Aa ", "Aa, ", "a.", "A. ", "a@a.", "www.a.",
     "12 Oak ", "patient ", "Dr. ", "name: ", "1:", "::", "Mr Aa-", "/s/ ", "Aa'", "x=", "01/02/",
     "(1) ", "phone 1", "P.O. "],
)  # fmt: skip
def test_no_line_takes_long(pack, unit):
    def work(text):
        for recognise in (*pack.recognisers(), dates.find):
            for _ in recognise(text):
                pass

    assert grows_linearly(work, unit, 30_000)
