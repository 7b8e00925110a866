"""
Other forms of an English phrase under which a concept may be known: without its article, and with
its last word in the singular.

A small set of rules and no dictionary: what they give is only ever looked up, so a form that is no
word finds nothing.
"""

from collections.abc import Iterator

_ARTICLES = ("a ", "an ", "the ")
_KEEP_THE_S = ("ss", "us", "is")  # glass, bus, iris: no plurals
_ES_AFTER = ("s", "x", "z", "ch", "sh", "o")  # buses, boxes, benches, tomatoes
# Their singular is another thing.
_OWN_MEANING = frozenset({"arms", "blinds", "glasses", "goods", "shorts", "trunks", "woods"})


def forms(phrase: str) -> Iterator[str]:
    """Yield *phrase*, then without its article, then what its last word may be the plural of."""
    yield phrase
    for article in _ARTICLES:
        if phrase.startswith(article):
            phrase = phrase.removeprefix(article)
            yield phrase
            break
    before, space, word = phrase.rpartition(" ")
    for singular in _singulars(word):
        yield f"{before}{space}{singular}"


def _singulars(word: str) -> Iterator[str]:
    if len(word) < 4 or word in _OWN_MEANING or not word.endswith("s"):
        return
    if word.endswith("ies"):
        yield word.removesuffix("ies") + "y"
    if word.endswith("es") and word.removesuffix("es").endswith(_ES_AFTER):
        yield word.removesuffix("es")
    if not word.endswith(_KEEP_THE_S):
        yield word.removesuffix("s")
