"""From a question to hits: dense, BM25 and graph searchers, fused."""
