"""Release files of terminologies: the names, types and codes that their publishers' rows say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.packs.healthcare.releases import conso_terms, loinc_terms, snomed_terms


def conso(cui, source, code, text, *, language="ENG", preferred="Y", suppressed="N") -> str:
    row = [cui, language, "P", "L1", "PF", "S1", preferred, "A1", "", "", "", source, "PT", code]
    return "|".join([*row, text, "0", suppressed, "256", ""])


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def said(terms) -> list[tuple[str, str, str]]:
    return [(term.text, term.type, term.concept.key) for term in terms]


def test_umls_names_have_the_type_of_their_concept_and_the_code_of_their_source(tmp_path):
    rows = [
        conso("C0018801", "SNOMEDCT_US", "84114007", "Heart failure (disorder)"),
        conso("C0018801", "MSH", "D006333", "Cardiac failure", preferred="N"),
        conso("C0018801", "MSHFRE", "D006333", "Insuffisance cardiaque", language="FRE"),
        conso("C0018801", "MSH", "D006333", "Old name", suppressed="O"),
        conso("C0004611", "SNOMEDCT_US", "409822003", "Bacteria"),
    ]
    path = write(tmp_path / "MRCONSO.RRF", rows)
    write(
        tmp_path / "MRSTY.RRF",
        ["C0018801|T047|B2.2.1.2.1|Disease|AT1|256|", "C0004611|T007|A1|Bacterium|AT2|256|"],
    )
    assert said(conso_terms(path)) == [
        ("Heart failure", "condition", "SNOMED:84114007"),
        ("Cardiac failure", "condition", "UMLS:C0018801"),
    ]


def test_rxnorm_needs_no_semantic_types(tmp_path):
    rows = [
        conso("4603", "RXNORM", "4603", "furosemide"),
        conso("4603", "MTHSPL", "X", "FUROSEMIDE"),
    ]
    assert said(conso_terms(write(tmp_path / "RXNCONSO.RRF", rows))) == [
        ("furosemide", "medication", "RXNORM:4603")
    ]


def test_loinc_gives_tests_and_vital_signs_and_leaves_surveys_out(tmp_path):
    lines = [
        "LOINC_NUM,CLASS,CLASSTYPE,STATUS,LONG_COMMON_NAME,SHORTNAME,CONSUMER_NAME,DisplayName",
        '2345-7,CHEM,1,ACTIVE,"Glucose [Mass/volume] in Serum or Plasma",Glucose SerPl-mCnc,,',
        "8867-4,HRTRATE.ATOM,2,ACTIVE,Heart rate,Heart rate,Heart rate,Heart rate",
        "44249-1,SURVEY.PHQ,4,ACTIVE,PHQ-9,PHQ-9,,",
        "1-8,CHEM,1,DEPRECATED,Old test,Old,,",
    ]
    assert said(loinc_terms(write(tmp_path / "Loinc.csv", lines))) == [
        ("Glucose [Mass/volume] in Serum or Plasma", "lab", "LOINC:2345-7"),
        ("Glucose SerPl-mCnc", "lab", "LOINC:2345-7"),
        ("Heart rate", "vital", "LOINC:8867-4"),
    ]


def test_snomed_types_come_from_the_tag_of_the_full_name(tmp_path):
    head = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSig"
    full, other = "900000000000003001", "900000000000013009"

    def row(concept, kind, term, active="1", language="en"):
        return f"1\t20260131\t{active}\tM\t{concept}\t{language}\t{kind}\t{term}\tC"

    lines = [
        head,
        row("22298006", other, "Heart attack"),
        row("22298006", full, "Myocardial infarction (disorder)"),
        row("22298006", other, "Infarto", language="es"),
        row("22298006", other, "Cardiac infarction", active="0"),
        row("22298006", other, "MI"),
        row("409822003", full, "Domain Bacteria (organism)"),
    ]
    path = write(tmp_path / "sct2_Description_Snapshot-en_INT.txt", lines)
    found = list(snomed_terms(path))
    assert said(found) == [
        ("Heart attack", "condition", "SNOMED:22298006"),
        ("Myocardial infarction", "condition", "SNOMED:22298006"),
        ("MI", "condition", "SNOMED:22298006"),
    ]
    assert [term.exact for term in found] == [False, False, True]
    assert found[1].score > found[0].score


@pytest.mark.parametrize(
    ("read", "line"),
    [(conso_terms, "a|b|c"), (loinc_terms, "a,b,c"), (snomed_terms, "id,active")],
)
def test_another_file_is_refused_without_quoting_it(tmp_path, read, line):
    with pytest.raises(InputError) as caught:
        list(read(write(tmp_path / "other.txt", [line])))
    assert line not in str(caught.value)


TABLE = "LOINC_NUM,CLASS,CLASSTYPE,LONG_COMMON_NAME\n"
ROWS = "id\teffectiveTime\tactive\t\n"


@pytest.mark.parametrize(
    ("read", "good"),
    [(conso_terms, conso("1", "RXNORM", "1", "furosemide") + "\n"),
     (loinc_terms, TABLE), (snomed_terms, ROWS)],
)  # fmt: skip
def test_what_is_not_utf8_is_named_by_its_line(tmp_path, read, good):
    path = tmp_path / "file"
    path.write_bytes(good.encode() + b"caf\xe9\n")
    with pytest.raises(InputError, match=r"file, line 2: not UTF-8"):
        list(read(path))


@pytest.mark.parametrize(
    ("row", "message"),
    [(lambda: "x" * (csv.field_size_limit() + 1), "line 2: not CSV"),
     (lambda: "1-8,CHEM", "line 2: fewer")],
)  # fmt: skip
def test_a_damaged_table_is_an_error_of_the_input(tmp_path, row, message):
    path = tmp_path / "Loinc.csv"
    path.write_text(TABLE + row() + "\n", encoding="utf-8")  # the limit is as it is when it runs
    with pytest.raises(InputError, match=message):
        list(loinc_terms(path))
