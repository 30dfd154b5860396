"""Contract tests that every backend of a port passes; yours too."""
