"""Instruction examples that the facts and texts of a workspace support, with their citations."""
