"""
Noun phrases: their normal form, and what is not one.

The id of a pair is made from the normal form, so that "Red  Circle" and "red circle" are one piece
of work. The normal form keeps the words themselves: singular and plural, and synonyms, stay apart
(the ontology joins them, not the id).
"""

import unicodedata

from engine.errors import InvalidPhraseError

MAX_CHARACTERS = 200  # the text encoder reads 32 tokens (paper, C.2); longer is no noun phrase


def normalise(text: str) -> str:
    """
    Return the normal form of a noun phrase: NFKC, lower case, single spaces, no outer punctuation.

    Args:
        text: What a person, a file or a model wrote, in any script.

    Raises:
        InvalidPhraseError: If nothing but spaces and punctuation is left, if a control character
            or a lone surrogate is inside, or if the phrase is longer than MAX_CHARACTERS.
    """
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    phrase = " ".join(lowered.split()).strip(" .,;:!?\"'`")
    if not any(_bears_meaning(character) for character in phrase):
        raise InvalidPhraseError(f"phrase {text[:40]!r} is empty: give a short noun phrase")
    if len(phrase) > MAX_CHARACTERS:
        msg = f"phrase {phrase[:40]!r}... has {len(phrase)} characters, at most {MAX_CHARACTERS}"
        raise InvalidPhraseError(f"{msg}: give a short noun phrase")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in phrase):
        raise InvalidPhraseError(f"phrase {phrase[:40]!r} holds a control character: remove it")
    return phrase


def _bears_meaning(character: str) -> bool:
    """Letters, digits, and symbols such as emoji can name a thing; spaces and dots cannot."""
    return unicodedata.category(character)[0] in "LNS"
