"""Healthcare: notes, FHIR, HL7 v2, C-CDA; Safe Harbor identifiers; ICD-10-CM and clinical cues."""

from aegle.core.pack import Pack

_HERE = "aegle.packs.healthcare"

PACK = Pack(
    name="healthcare",
    title="Healthcare",
    readers={
        "fhir": f"{_HERE}.readers.fhir:FhirReader",
        "hl7v2": f"{_HERE}.readers.hl7v2:Hl7v2Reader",
        "ccda": f"{_HERE}.readers.ccda:CcdaReader",
        "medquad": f"{_HERE}.readers.medquad:MedquadReader",
        "note": f"{_HERE}.readers.note:NoteReader",
    },
    recognisers=f"{_HERE}.identifiers:recognisers",
    keeps=frozenset(),
    shifts_dates=True,
    terms=f"{_HERE}.ontology:terms",
    terms_version="1",
    terminologies={
        "*CONSO.RRF": f"{_HERE}.releases:conso_terms",
        "Loinc*.csv": f"{_HERE}.releases:loinc_terms",
        "sct2_Description_*.txt": f"{_HERE}.releases:snomed_terms",
    },
    patterns=f"{_HERE}.patterns:patterns",
    cues=f"{_HERE}.cues:cues",
    rules=f"{_HERE}.rules:rules",
    columns={
        "device": "device",
        "device_id": "device",
        "asset_tag": "device",
        "ward": "ward",
        "unit": "ward",
        "department": "ward",
        "medication": "medication",
        "drug": "medication",
        "condition": "condition",
        "diagnosis": "condition",
        "allergy": "allergy",
        "procedure": "procedure",
    },
    ties={("device", "ward"): "located_in"},
    tags=f"{_HERE}.tags:tags",
    doubts=f"{_HERE}.identifiers:doubts",
    critical={
        "clinical": ("problem", "medication"),
        "biomedical": ("disease", "chemical"),
        "biology": ("disease", "chemical"),
    },
)
