"""Annotated corpora: readers of their formats, leak-free splits."""
