"""Hard negatives: near-miss phrases of what is there."""

from enum import StrEnum


class Relation(StrEnum):
    """How the phrase of a hard negative lies to the positive phrase that it was made from."""

    SIBLING = "sibling"
    UNCLE = "uncle"
    COUSIN = "cousin"
    ATTRIBUTE = "attribute"  # one word was exchanged
