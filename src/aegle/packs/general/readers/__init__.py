"""Readers of the general pack, one format a file."""
