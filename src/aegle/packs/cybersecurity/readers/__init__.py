"""Readers of the cybersecurity pack, one format a file."""
