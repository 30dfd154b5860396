"""From facts to a knowledge graph, and walks on it."""
