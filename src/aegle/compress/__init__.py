"""Smaller models of the same worth: methods that shrink a model, and the search among them."""
