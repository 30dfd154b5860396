"""Versions of models: signed manifests with lineage, evidence, aliases, and a gate before them."""
