"""Domains as data: readers, identifiers, ontology, patterns, cues and rules of each."""
