"""From raw documents to de-identified chunks: clean, redact, chunk."""
