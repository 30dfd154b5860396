"""Measures with their evidence: ranking, extraction, intervals."""
