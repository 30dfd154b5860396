"""Training: corpora and splits, networks and heads, the loop, distillation, search."""
