"""Smaller models that say the same: what they weigh, and how they are made."""
