"""Readers of the healthcare pack, one format a file."""
