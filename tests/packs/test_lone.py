"""Lone names and towns in prose are found by the words around them; words of medicine are not."""

import pytest

from aegle.packs.general import identifiers as general
from aegle.packs.healthcare import identifiers as healthcare


def hidden(text: str, pack=healthcare) -> set[str]:
    return {text[f.start : f.end] for recognise in pack.recognisers() for f in recognise(text)}


NAMES = (
    ("Discussed with Okonkwo-Reyes at length.", "Okonkwo-Reyes"),
    ("Discussed with Okonkwo-Reyes, agrees with plan.", "Okonkwo-Reyes"),
    ("D/w Okonkwo re: anticoagulation.", "Okonkwo"),
    ("Discussed case with Vanterpool from cardiology.", "Vanterpool"),
    ("Case discussed with attending Wojciechowski.", "Wojciechowski"),
    ("Plan reviewed with Nakagawa-Stein.", "Nakagawa-Stein"),
    ("daughter lives in Ystradgynlais", "Ystradgynlais"),
    ("Her son Tadhg is with her.", "Tadhg"),
    ("The patient's niece, Oluwaseun, provides care.", "Oluwaseun"),
    ("Per Ramanathan, hold warfarin.", "Ramanathan"),
    ("per Quillfeather note, no change", "Quillfeather"),
    ("As per Adeyemi, stop heparin.", "Adeyemi"),
    ("According to Szczepanski, no fever.", "Szczepanski"),
    ("Seen by Hartigan in clinic.", "Hartigan"),
    ("Evaluated by Thorvaldsen this morning.", "Thorvaldsen"),
    ("Consulted Bhattacharya for renal input.", "Bhattacharya"),
    ("Appreciate Mbeki-Torres recommendations.", "Mbeki-Torres"),
    ("Will follow up with Krzyzewski next week.", "Krzyzewski"),
    ("Follow-up with Achterberg in two weeks.", "Achterberg"),
    ("Transferred from Llanelli yesterday.", "Llanelli"),
    ("Moved to Dolgellau last year.", "Dolgellau"),
    ("Transferred from Aberystwyth General.", "Aberystwyth"),
    ("She is from Kirkcudbright originally.", "Kirkcudbright"),
    ("He comes from Machynlleth.", "Machynlleth"),
    ("Lives alone in Penrhyndeudraeth.", "Penrhyndeudraeth"),
    ("Born and raised in Szeged.", "Szeged"),
    ("Resident of Oconomowoc.", "Oconomowoc"),
    ("Returned from Zakopane last week.", "Zakopane"),
    ("cc: Okonkwo, Reyes", "Okonkwo,Reyes"),
    ("cc: Dr. Featherstonehaugh; Nwachukwu", "Featherstonehaugh,Nwachukwu"),
    ("CC: Villanueva-Ortiz", "Villanueva-Ortiz"),
    ("Electronically signed by: K. Abernethy-Wu", "Abernethy-Wu"),
    ("-- Oyelaran, RN", "Oyelaran"),
    ("Signed,\nWolanski", "Wolanski"),
    ("Regards,\nMcIlvaine", "McIlvaine"),
    ("/s/ Ndukwe", "Ndukwe"),
    ("Mother (Siobhan) at bedside.", "Siobhan"),
    ("Wife Xiomara reports snoring.", "Xiomara"),
    ("Her husband's name is Ruaridh.", "Ruaridh"),
    ("Spoke to patient's brother Ikechukwu by phone.", "Ikechukwu"),
    ("Message left for Dziedzic.", "Dziedzic"),
    ("Called Papadimitriou with results.", "Papadimitriou"),
    ("Notified Ferreira-Lopes of critical value.", "Ferreira-Lopes"),
    ("Paged Ostrowski at 0300.", "Ostrowski"),
    ("Surgeon Balakrishnan performed the repair.", "Balakrishnan"),
    ("Nurse Tkachenko noted a rash.", "Tkachenko"),
    ("Attending Yoshimura agrees.", "Yoshimura"),
    ("Report given to Oyinlola RN.", "Oyinlola"),
    ("Care handed off to Mkhize.", "Mkhize"),
    ("Accompanied by Ngozi.", "Ngozi"),
    ("Lives with Przemyslaw, her partner.", "Przemyslaw"),
    ("Okonkwo's wife was present.", "Okonkwo"),
    ("Patient Vukovic reports pain.", "Vukovic"),
    ("Pt Vukovic c/o chest pain.", "Vukovic"),
    ("PCP is Gallowglass.", "Gallowglass"),
    ("PCP Gallowglass notified.", "Gallowglass"),
    ("Referred by Tchaikovska for biopsy.", "Tchaikovska"),
    ("referred to Tchaikovska for biopsy.", "Tchaikovska"),
    ("Works at Brandywell Foundry in Hebburn.", "Hebburn"),
    ("Grew up near Bwlchgwyn.", "Bwlchgwyn"),
    ("Moved here from Ballachulish.", "Ballachulish"),
    ("visiting family in Tobermory", "Tobermory"),
    ("Lives at Tobermory with sister.", "Tobermory"),
    ("Mr Okonkwo-Reyes", "Okonkwo-Reyes"),
    ("Attn: Szymborska", "Szymborska"),
    ("Dear Zbigniew,", "Zbigniew"),
    ("Mrs. van der Merwe lives in Ystradgynlais.", "van der Merwe,Ystradgynlais"),
    ("Okonkwo states he is in pain.", "Okonkwo"),
    ("Okonkwo denies chest pain.", "Okonkwo"),
    ("Okonkwo was admitted with sepsis.", "Okonkwo"),
    ("Okonkwo is a 54-year-old man.", "Okonkwo"),
    ("Talked with Oyelowo about goals of care.", "Oyelowo"),
    ("Conversation with daughter Anneliese held at noon.", "Anneliese"),
    ("Case reviewed with Dr. Mukherjee and Thibodeaux.", "Mukherjee,Thibodeaux"),
    ("Recs per Vasilenko: start apixaban.", "Vasilenko"),
    ("Pt was seen with Lindqvist, PA-C.", "Lindqvist"),
    ("Called by lab; Hrdlicka informed at 0412.", "Hrdlicka"),
    ("Referred back to Sundaresan.", "Sundaresan"),
    ("Consent obtained by Wickramasinghe.", "Wickramasinghe"),
    ("Zawadzki reports worsening dyspnea.", "Zawadzki"),
    ("Abiodun is a 71-year-old woman with CHF.", "Abiodun"),
    ("The wound was dressed by Nurse Obradovic.", "Obradovic"),
    ("Lives with her grandson Kwabena.", "Kwabena"),
    ("His brother, Thaddaeus, drove him in.", "Thaddaeus"),
    ("He was born in Ouagadougou and moved to Zgierz in 1998.", "Ouagadougou,Zgierz"),
    ("Lives in Mousehole near the harbour.", "Mousehole"),
    ("Just returned from Kilmarnock.", "Kilmarnock"),
    ("Transferred from Trondheim for ECMO.", "Trondheim"),
    ("Her sister lives near Bodelwyddan.", "Bodelwyddan"),
    ("Works as a teacher in Llanrwst.", "Llanrwst"),
    ("Family is from Gjirokaster.", "Gjirokaster"),
    ("Discharge to daughter's house in Porthmadog.", "Porthmadog"),
    ("cc: Mwangi, Sorensen\ncc: Petrosyan", "Mwangi,Sorensen,Petrosyan"),
    ("Best,\nChukwuemeka", "Chukwuemeka"),
    ("Thank you,\nVilhelmina Drozd", "Drozd"),
    ("/s/ Haverford-Nkosi 0900", "Haverford-Nkosi"),
    ("Discussed w/ Brzezinski.", "Brzezinski"),
    ("Spoke w Olatunji today.", "Olatunji"),
    ("Spouse Rutendo at bedside.", "Rutendo"),
    ("Emergency contact Mireille 617-253-1000", "Mireille"),
    ("Ms Fitzwilliam-Cho requests a refill.", "Fitzwilliam-Cho"),
    ("Fitzwilliam-Cho requests a refill.", "Fitzwilliam-Cho"),
    ("Message for Gudmundsson left.", "Gudmundsson"),
    ("Pt asks for Marguerite.", "Marguerite"),
    ("Scheduled with Kowalewski on Friday.", "Kowalewski"),
    ("Hx from son (Babatunde).", "Babatunde"),
    ("Interpreter Svetlana present.", "Svetlana"),
    ("Okonkwo, 54M, presents with chest pain.", "Okonkwo"),
    ("54M Okonkwo presents with chest pain.", "Okonkwo"),
    ("Surgeon: Anastasopoulos", "Anastasopoulos"),
)
"""A sentence, and what of it must be hidden; written for this test."""

NOTHING = """\
Anticoag per CHA2DS2-VASc. PaO2 63, SaO2 95%, per SpO2.
Parkinson's disease per neurology. Foley placed. Babinski negative. Crohn disease stable.
Discussed with family. Discussed with patient. Discussed with Cardiology.
Discussed with Neurosurgery on call.
Discussed with PCP. Per ICU protocol. Per Pharmacy, hold vancomycin. Per Nursing report, stable.
Seen by Orthopedics. Seen by PT. Evaluated by Speech Therapy. Followed by Podiatry.
Consulted Nephrology.
Continue Lasix per Cardiology. Per Medicare guidelines. Per Os. Per Rectum. Per NPO.
Transferred from ICU-3 to Ward 4B. Transferred from Medicine. Transferred from Emergency.
Transferred to Radiology.
Transferred from PACU in stable condition. Moved to Telemetry. Moved to Isolation.
Moved to Room 12.
Returned from Surgery. Returned from Dialysis at 1400. Returned from Radiology.
Started on Metoprolol. Switched from Warfarin to Eliquis. Changed from Zosyn to Ceftriaxone.
Weaned from Levophed.
Discharged on Augmentin. Allergic to Bactrim. Treated with Plaquenil. Follow up with Hematology.
Referred to Gastroenterology.
Foley catheter. Swan-Ganz. Levophed weaned. Keppra loaded. Lovenox held. Coumadin per INR.
Ativan given.
In March she was well. Since January. Until Friday. On Monday.
Mother has Alzheimer's. Father died of Hodgkin lymphoma. Sister with Graves disease.
Brother had Crohn's.
Lives in Assisted Living. Lives in Nursing Home. Lives at Home. Lives with Family.
Comes from Home. From Home.
Afebrile. Normocephalic. Denies fever. Assessment stable. Ambulates. Tolerating diet.
Called with results. Called Pharmacy. Notified MD. Paged Resident. Called Code Blue.
Called Rapid Response.
Accompanied by Mother. Accompanied by EMS. Lives with Wife. Report given to Nurse.
Handed off to Night team.
cc: chest pain. CC: Abdominal pain. CC: Shortness of breath. cc: File
CC: Hematuria
CC: Dyspnea
Chief Complaint: Hematochezia
From: Emergency Department To: Telemetry
Attending notified. Surgeon aware. Nurse notified. PCP aware. Patient Ambulating. Pt Tolerating.
Patient Declined.
Per Cerner. Per Epic. Documented in Epic. Reviewed with Pharmacy.
Works at Walmart. Smokes Marlboro. Drinks Budweiser.
Mother is Caucasian. Father is Hispanic. Wife is Spanish-speaking. From India.
She is from Mexico. Travel to Brazil.
Results from Quest. Labs from LabCorp. Report from Radiology. Records from Outside Hospital.
Fluid from Paracentesis.
Blood from Hickman line. Drainage from Jackson-Pratt. Sample from Bronchoscopy.
Pain from Fibromyalgia.
According to Glasgow Coma Scale. According to Medicare. According to KDIGO guidelines.
According to Framingham criteria.
Appreciate Cardiology recommendations. Appreciate ID recs. Follow up with Coumadin Clinic.
Hypertension is stable. Diabetes was diagnosed. Metformin was started. Lisinopril is held.
Sepsis denies. Pneumonia was treated. Tylenol is given.
Vancomycin was stopped. Echocardiogram was normal. Troponin was elevated. Gabapentin is helping.
Babinski was negative. Foley was removed. Keppra was increased.
Discussed with Hospice. Spoke with Ethics. Reviewed with Infectious Disease.
Recs per Wound Care.
Switched to Plavix per Cardiology. Continue Synthroid. Seroquel was increased. Xarelto was held.
Flomax started.
Transferred from Stepdown. Transferred to Oncology. Moved to Hospice. Returned from Angiography.
Returned from MRI.
Positive Kernig and Brudzinski. Trousseau sign. Chvostek negative. Homans negative.
Bouchard nodes. Gleason 7.
Ranson score 3. Child-Pugh B. Killip class II. Mallampati III. Fontan circulation.
Hartmann procedure. Whipple done.
CT Abdomen. MRI Brain. Echo: EF 55%. Started Vancomycin and Zosyn. Given Toradol and Zofran.
Lives with Parents.
Denies Tobacco. Drinks Alcohol socially. Works as Teacher. Is Jewish. Speaks Portuguese.
Visited Italy. From Haiti.
Klebsiella was found. Grew Enterococcus and Staph aureus. Treated for Lyme.
Vaccinated against Tdap. Zoster vaccine.
Patient is Alert. Patient has Diabetes. Family is Aware. Nurse Practitioner saw him.
Attending Physician aware.
Notified Rapid Response Team. Paged Anesthesia. Consulted Palliative Care. Consult Psychiatry.
Consulted Endocrine.
Referred to Weight Watchers. Called Poison Control. Appreciate Nephrology input.
Thank you for Referral.
Ativan and Haldol given. Lopressor or Cardizem. Dilaudid PCA. Humalog sliding scale.
Depakote level. Bumex drip.
Hodgkin lymphoma. Burkitt. Kaposi. Ewing sarcoma. Wilms tumor. Barrett esophagus. Sjogren.
Raynaud. Marfan. Turner syndrome.
ASSESSMENT: Stable. PLAN: Discharge Tomorrow. Activity As Tolerated. Follow Up With PCP.
Return To ED If Worse.
""".splitlines()


@pytest.mark.parametrize(("text", "names"), NAMES)
def test_what_the_words_around_it_call_somebody_or_a_town_is_found(text, names):
    found = hidden(text)
    assert all(any(name in one for one in found) for name in names.split(","))


@pytest.mark.parametrize("text", NOTHING)
def test_what_clinicians_write_with_a_capital_is_no_name(text):
    assert hidden(text) == set()


def test_a_general_document_has_lone_names_too():
    assert "Wojciechowski" in hidden("Discussed with Wojciechowski.", general)


def test_in_a_chart_a_name_of_the_census_needs_no_words_around_it():
    text = "It was then that Kowalczyk, maria and Vasquez left."
    assert {"Kowalczyk", "maria", "Vasquez"} <= hidden(text)


def test_a_name_is_found_whatever_its_accents():
    assert "Ján" in hidden("Her son Ján came.") and "Müller" in hidden("Dr. Müller agrees.")
