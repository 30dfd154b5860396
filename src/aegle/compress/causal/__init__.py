"""Compression of causal language models: GGUF types, GPTQ, AWQ, NF4 and INT8, pruning."""
