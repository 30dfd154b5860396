"""Training of causal models: loading, recipes, packing, adapters, the run."""
