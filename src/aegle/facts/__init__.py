"""From documents to facts: entities, assertions, relations, concept links."""
