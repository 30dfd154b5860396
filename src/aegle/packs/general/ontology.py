"""Terms that belong to no domain: none yet; both domains bring their own."""

from collections.abc import Iterator

from aegle.core.pack import Term


def terms() -> Iterator[Term]:
    """No terms."""
    return iter(())
