"""Makers: the names and versions of what makes facts, as each entity and relation tells them.

Raise one when its rules change: `flows.versions` then sees that a workspace's facts are old.
"""

from __future__ import annotations

from typing import Final

SOURCE: Final = "source/1"
LEXICON: Final = "lexicon/1"
PATTERN: Final = "pattern/1"
RULE: Final = "rule/1"
SUBJECT: Final = "subject/1"
LINK: Final = "link/1"
"""How names become concepts and keys; no extractor, but facts change with it."""
TAG: Final = "tag/1"
"""How a tagger's words become candidates; what they are made by is the tagger's own version."""
