"""The browser door: pages over the same flows."""
