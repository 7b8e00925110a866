"""
The words of the world: shapes, colours and textures, their families and synonyms.

A *base* word is one that the committed tiny proposer was taught. The others are *held out*: they
are drawn, so that the proposer has seen such things, but no phrase ever named them. They are what
a round of annotation can teach.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a word says about a thing."""

    SHAPE = "shape"
    COLOUR = "colour"
    TEXTURE = "texture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of the world."""

    name: str
    kind: Kind
    family: str  # the broader word, such as "round shape"
    synonyms: tuple[str, ...] = ()
    is_base: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words that phrases may use."""

    words: tuple[Word, ...]

    def names(self, kind: Kind) -> tuple[str, ...]:
        return tuple(word.name for word in self.words if word.kind is kind)

    def families(self) -> tuple[str, ...]:
        """The families of its shapes, each once, in order."""
        shapes = (word for word in self.words if word.kind is Kind.SHAPE)
        return tuple(dict.fromkeys(word.family for word in shapes))


def _word(kind: Kind, family: str, name: str, *synonyms: str) -> Word:
    return Word(name=name, kind=kind, family=family, synonyms=synonyms)


def _held_out(kind: Kind, family: str, name: str, *synonyms: str) -> Word:
    return Word(name=name, kind=kind, family=family, synonyms=synonyms, is_base=False)


_SHAPE, _COLOUR, _TEXTURE = Kind.SHAPE, Kind.COLOUR, Kind.TEXTURE

# Families as a picture book would sort them. Each has base and held-out members, so that an
# ancestor can be known while one of its children is new.
WORLD = Vocabulary(
    words=(
        _word(_SHAPE, "round shape", "circle", "disc"),
        _word(_SHAPE, "round shape", "ring", "hoop"),
        _held_out(_SHAPE, "round shape", "moon", "crescent"),
        _word(_SHAPE, "polygon", "square", "box"),
        _word(_SHAPE, "polygon", "triangle", "wedge"),
        _held_out(_SHAPE, "polygon", "star", "asterisk"),
        _word(_SHAPE, "symbol", "cross", "plus sign"),
        _held_out(_SHAPE, "symbol", "heart", "valentine"),
        _word(_COLOUR, "warm colour", "red", "crimson"),
        _word(_COLOUR, "warm colour", "yellow", "golden"),
        _held_out(_COLOUR, "warm colour", "orange", "amber"),
        _word(_COLOUR, "cool colour", "green", "emerald"),
        _word(_COLOUR, "cool colour", "blue", "azure"),
        _held_out(_COLOUR, "cool colour", "purple", "violet"),
        _word(_COLOUR, "neutral colour", "white", "ivory"),
        _held_out(_COLOUR, "neutral colour", "black", "ebony"),
        _word(_TEXTURE, "smooth texture", "plain", "solid"),
        _word(_TEXTURE, "patterned texture", "striped", "stripy"),
        _held_out(_TEXTURE, "patterned texture", "dotted", "spotted"),
    )
)
BASE = Vocabulary(words=tuple(word for word in WORLD.words if word.is_base))

WORD_OF = {word.name: word for word in WORLD.words}
GENERIC = "object"  # the noun of a phrase that names no shape, as in "red object"

# Nouns of things which are never drawn. They make negative phrases, and teach a proposer that a
# word it does not know is a word whose thing it must not claim to see.
FOREIGN = tuple((Path(__file__).parent / "foreign_words.txt").read_text("ascii").split())


def held_out_names() -> frozenset[str]:
    """Every name and synonym that base training must not prompt with."""
    return frozenset(
        name for word in WORLD.words if not word.is_base for name in (word.name, *word.synonyms)
    )


def mentions_held_out(phrase: str) -> bool:
    """Whether *phrase* uses a held-out word, under any of its names."""
    return not held_out_names().isdisjoint(phrase.split())


def every_name(words: Iterable[Word] = WORLD.words) -> tuple[str, ...]:
    """Every text that a phrase of the world may be made of, for building a tokenizer."""
    names = [name for word in words for name in (word.name, *word.synonyms, word.family)]
    return tuple(dict.fromkeys([*names, GENERIC, "visual", *FOREIGN]))
