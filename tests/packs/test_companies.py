"""Companies that bear a person's name stay; a patient who bears a company's does not."""

import pytest

from aegle.core.records import Identifier, Mention, RawDocument
from aegle.core.text import RawText
from aegle.corpus.redact import Policy, redact
from aegle.corpus.vault import Vault
from aegle.packs.cybersecurity import PACK
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.general import identifiers as general
from aegle.packs.healthcare import identifiers as healthcare

VENDORS = (
    "Dell", "B. Braun", "Baxter", "Philips", "Siemens Healthineers", "Cisco", "Palo Alto", "Abbott",
    "Becton Dickinson", "GE", "Edwards Lifesciences", "Hewlett Packard", "Johnson & Johnson",
    "Carl Zeiss", "Karl Storz", "Welch Allyn", "Fresenius Kabi", "Dräger", "Becton, Dickinson",
)  # fmt: skip
PACKS = {"healthcare": healthcare, "cybersecurity": cybersecurity, "general": general}


def safe(text: str, domain: str = "healthcare", **more) -> str:
    raw = RawDocument("x", "note", domain, RawText(text), **more)
    policy = Policy(keeps=PACK.keeps if domain == "cybersecurity" else frozenset())
    recognisers = PACKS[domain].recognisers()
    return str(redact(raw, recognisers=recognisers, policy=policy, vault=Vault(bytes(32)))[0].text)


@pytest.mark.parametrize("domain", PACKS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_stays_in_an_inventory(vendor, domain):
    for row in (
        f"asset_tag: PUMP-0042; vendor: {vendor}; model: Magnetom Vida; ward: ICU-3",
        f"host: srv-01; manufacturer: {vendor}; product: Evita V500",
        f'{{"vendorProject": "{vendor}", "product": "Infusomat Space"}}',
        f"Device make: {vendor}\nDevice model: IntelliVue MX750",
        f"asset_tag: SRV-0007; vendor_name: {vendor}",
    ):
        assert safe(row, domain) == row


@pytest.mark.parametrize("domain", PACKS)
@pytest.mark.parametrize(
    "text",
    [
        "Dell PowerEdge R740 firmware is out of date.",
        "A Philips IntelliVue monitor and the Baxter Sigma Spectrum pump were moved.",
        "B. Braun Infusomat was recalled; Becton Dickinson Alaris was not.",
        "The pump was manufactured by Abbott and serviced by Philips.",
        "Johnson & Johnson and Palo Alto Networks issued advisories.",
        "Edwards Inc and Zimmer GmbH: implants.",
    ],
)
def test_a_vendor_stays_beside_its_product(text, domain):
    assert safe(text, domain) == text


def test_a_text_about_technology_speaks_of_vendors():
    text = "Contact Dell for the patch. Per Cisco, the flaw was reported by Philips."
    assert safe(text, "cybersecurity") == text


@pytest.mark.parametrize("domain", PACKS)
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mr. Abbott uses a Baxter pump.", "Abbott"),
        ("Patient: Abbott\nStable.", "Abbott"),
        ("Seen by Dell in clinic.", "Dell"),
        ("Reported by John Dell of the service desk.", "Dell"),
        ("B. Braun, MD", "Braun"),
        ("Signed: Philips", "Philips"),
        ("Patient Baxter reports pain.", "Baxter"),
    ],
)
def test_a_person_who_bears_a_vendors_name_is_hidden(text, name, domain):
    assert name not in safe(text, domain)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Discussed with Philips, who agrees.", "Philips"),
        ("Dell takes metformin.", "Dell"),
        ("Her wife Dell was told.", "Dell"),
    ],
)
def test_in_a_chart_a_lone_name_is_a_person(text, name):
    assert name not in safe(text)


def test_what_the_chart_names_is_hidden_even_in_a_field_of_a_vendor():
    identifiers = (Identifier("name", RawText("Rosalind Abbott")),)
    text = "vendor: Abbott; model: Libre\nAbbott glucose meter of Abbott."
    assert "Abbott" not in safe(text, identifiers=identifiers)


def test_what_a_field_calls_a_product_or_a_threat_is_no_person_anywhere():
    text = "Affects: Ryan Duff Forms\n\nA flaw in Ryan Duff Forms was reported by Ada Lovelace."
    mentions = (Mention(9, 24, "product"), Mention(9, 18, "vendor"))
    made = safe(text, "cybersecurity", mentions=mentions)
    assert made.count("Ryan Duff Forms") == 2 and "Lovelace" not in made


def test_no_state_in_a_model():
    assert safe("vendor: Palo Alto, PA-3220 in rack 4") == "vendor: Palo Alto, PA-3220 in rack 4"
