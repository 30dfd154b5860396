"""Rules and cues of the packs use the vocabulary that the rest of Aegle knows."""

from __future__ import annotations

from aegle.core.records import ASSERTIONS, Span
from aegle.facts.assertion import Context
from aegle.facts.words import words
from aegle.packs.cybersecurity import cues as security_cues
from aegle.packs.cybersecurity import rules as security_rules
from aegle.packs.general import cues as general_cues
from aegle.packs.general import rules as general_rules
from aegle.packs.healthcare import cues as clinical_cues
from aegle.packs.healthcare import rules as clinical_rules

TYPES = frozenset(
    """patient practitioner organization ward device encounter condition symptom medication
    allergy procedure immunization lab vital anatomy dose date host ip domain url email hash
    file path process account service port registry_key product vendor vulnerability weakness
    attack_pattern technique tactic malware tool threat_group campaign mitigation detection
    event rule""".split()
)
RELATIONS = frozenset(
    """has_condition has_symptom takes allergic_to had_procedure had_immunization has_result
    has_vital has_dose had_encounter cared_for_by located_in stays_in uses_device treats
    causes has_address controls runs has_vulnerability affects made_by has_weakness
    logged_in_to ran_on spawned connected_to resolved wrote exploits uses mitigates detects
    subtechnique_of belongs_to indicates attributed_to targets""".split()
)


def test_rules_name_known_types_and_relations():
    for module in (clinical_rules, security_rules, general_rules):
        for rule in module.rules():
            assert rule.type in RELATIONS
            assert {rule.head, rule.tail} <= TYPES


def test_cues_name_known_assertions_and_directions():
    for module in (clinical_cues, security_cues, general_cues):
        for cue in module.cues():
            assert cue.direction in (
                "forward", "backward", "both", "stop", "pseudo", "section", "head"
            )  # fmt: skip
            assert cue.assertion in ASSERTIONS or cue.direction in ("stop", "pseudo", "head")
            assert not cue.type or (cue.direction == "head" and cue.type in TYPES)
            assert cue.phrase.strip()


def test_no_cue_says_two_things_in_one_direction():
    """But what is denied, or of the family, may be of the past as well: "no history of"."""
    for module in (clinical_cues, general_cues):
        said: dict[tuple[str, str], set[str]] = {}
        for cue in module.cues():
            where = (cue.phrase, cue.direction)
            said.setdefault(where, set()).add(cue.assertion)
            assert len(said[where] - {"historical"}) <= 1, where


def test_a_refused_logon_is_no_session():
    for rule in security_rules.rules():
        if rule.type == "logged_in_to":
            assert rule.between is not None
            assert rule.between.search(" sshd: Accepted password for ")
            assert not rule.between.search(" sshd: Failed password for ")


def test_the_other_sides_address_is_not_the_hosts():
    rules = [
        rule for rule in security_rules.rules() if (rule.type, rule.tail) == ("has_address", "ip")
    ]
    for own in (" has the address ", " ("):
        assert any(rule.between.search(own) for rule in rules)
    for others in (" user.name=x source.ip=", " dst ip ", " ( see also "):
        assert not any(rule.between.search(others) for rule in rules)


def test_what_follows_a_medication_as_needed_is_not_supposed():
    text = "albuterol 2 puffs prn, aspirin 81 mg. Zofran prn nausea."
    split = words(text)
    spans = [Span(text.index(name), text.index(name) + len(name)) for name in ("aspirin", "nausea")]
    said = Context(clinical_cues.cues()).assertions(split, [Span(0, len(text))], spans)
    assert said == [frozenset(), frozenset({"hypothetical"})]


def test_a_device_may_be_named_before_the_host_that_controls_it():
    told = [rule for rule in general_rules.rules() if rule.type == "controls" and rule.reverse]
    assert any(rule.between.search(" is controlled by ") for rule in told)
    assert not any(rule.between.search(" is beside ") for rule in told)
