"""Aegle: small language models for healthcare and cybersecurity, run where the data is."""
