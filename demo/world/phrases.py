"""
Phrases about a scene: what is there, what almost is, and what cannot be asked.

A plain phrase names a concept: a shape or a family of shapes, a colour, a texture, or several of
these. Its truth follows from the things of the scene. A *hard negative* differs in one word from a
thing that is there. A written word can be asked by its text. Three other kinds have no masks
at all; they exist so that the options of the verifiers have something to be right about (SAM 3
paper, appendix, tables of the verifier options).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from demo.world.scenes import Scene, Thing
from demo.world.vocabulary import (
    FOREIGN,
    GENERIC,
    WORD_OF,
    WORLD,
    Kind,
    Vocabulary,
)

_MOST_TRIES = 60  # draws after which a scene is taken to have no further phrase of the wanted sort

# How often a phrase names (shape, colour, texture).
_FORMS: dict[tuple[bool, bool, bool], float] = {
    (True, False, False): 0.24,
    (True, True, False): 0.36,
    (True, False, True): 0.18,
    (False, True, False): 0.10,
    (False, True, True): 0.06,
    (True, True, True): 0.06,
}

WHOLE_IMAGE = ("abstract drawing", "computer graphics", "colourful picture", "square image")
FLAGGED = ("christian cross", "rich man", "disabled person", "immigrant")
UNGROUNDABLE = ("corner", "gap", "left side", "middle", "good mood")


class PhraseKind(StrEnum):
    """Whether a phrase can be asked at all."""

    PLAIN = "plain"
    TEXT = "text"  # a word that is written in the scene
    WHOLE_IMAGE = "whole_image"
    FLAGGED = "flagged"
    UNGROUNDABLE = "ungroundable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """What a plain phrase means. An empty part allows everything."""

    shape: str = ""  # a shape or a family of shapes
    colour: str = ""
    texture: str = ""
    text: str = ""  # of a writing; then the other parts are empty

    @property
    def phrase(self) -> str:
        words = (self.texture, self.colour, self.text or self.shape or GENERIC)
        return " ".join(word for word in words if word)

    def includes(self, thing: Thing) -> bool:
        """Whether *thing* is one of these."""
        if self.text or thing.text:
            return self.text == thing.text
        return (
            self._includes_shape(thing.shape)
            and self.colour in ("", thing.colour)
            and self.texture in ("", thing.texture)
        )

    def _includes_shape(self, shape: str) -> bool:
        return self.shape in ("", shape, WORD_OF[shape].family)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseTruth:
    """A phrase and the things of one scene that it names."""

    phrase: str
    kind: PhraseKind = PhraseKind.PLAIN
    concept: Concept | None = None  # only of plain phrases about things of this world
    indices: tuple[int, ...] = ()  # of the scene's things
    has_group: bool = False  # one of them is an inseparable crowd


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How phrases are drawn."""

    vocabulary: Vocabulary = WORLD
    positive_share: float = 0.5
    hard_share: float = 0.75  # of the negatives: one word away from something that is there
    family_share: float = 0.0  # of the phrases with a shape: its family instead
    synonym_share: float = 0.0  # of the words: another name
    foreign_share: float = 0.0  # of the negatives: a word from outside the world
    must_mention: frozenset[str] = frozenset()  # at least one of these words, if there are any


DEFAULT_SAMPLING = Sampling()


def truth_of(concept: Concept, scene: Scene, *, phrase: str = "") -> PhraseTruth:
    """Return what *concept* names in *scene*; *phrase* says it in other words."""
    indices = tuple(i for i, thing in enumerate(scene.things) if concept.includes(thing))
    return PhraseTruth(
        phrase=phrase or concept.phrase,
        concept=concept,
        indices=indices,
        has_group=any(scene.things[i].is_group for i in indices),
    )


def sample_phrases(
    scene: Scene, rng: random.Random, *, num: int, sampling: Sampling
) -> list[PhraseTruth]:
    """
    Return up to *num* different plain phrases about *scene*, positives first.

    There are fewer where the scene's things or the vocabulary do not allow more.
    """
    wanted_positive = sum(rng.random() < sampling.positive_share for _ in range(num))
    found: dict[str, PhraseTruth] = {}
    _collect(found, wanted_positive, lambda: _positive(scene, rng, sampling))
    _collect(found, num, lambda: _negative(scene, rng, sampling))
    return list(found.values())


def special_phrases(rng: random.Random) -> list[PhraseTruth]:
    """Return one phrase of each kind that has no masks."""
    return [
        PhraseTruth(phrase=rng.choice(WHOLE_IMAGE), kind=PhraseKind.WHOLE_IMAGE),
        PhraseTruth(phrase=rng.choice(FLAGGED), kind=PhraseKind.FLAGGED),
        PhraseTruth(phrase=rng.choice(UNGROUNDABLE), kind=PhraseKind.UNGROUNDABLE),
    ]


def writing_phrases(scene: Scene) -> list[PhraseTruth]:
    """Return the phrases of the words that are written in *scene*."""
    texts = dict.fromkeys(thing.text for thing in scene.things if thing.text)
    truths = (truth_of(Concept(text=text), scene) for text in texts)
    return [replace(truth, kind=PhraseKind.TEXT) for truth in truths]


def _collect(
    found: dict[str, PhraseTruth], wanted: int, draw: Callable[[], PhraseTruth | None]
) -> None:
    for _ in range(_MOST_TRIES):
        if len(found) >= wanted:
            return
        if (drawn := draw()) is not None:
            found.setdefault(drawn.phrase, drawn)


def _positive(scene: Scene, rng: random.Random, sampling: Sampling) -> PhraseTruth | None:
    thing = _thing_of(scene, rng)
    if thing is None:
        return None
    concept = _general(thing, rng, sampling)
    if not _is_admitted(concept, sampling):
        return None
    return truth_of(concept, scene, phrase=_said(concept, rng, sampling))


def _negative(scene: Scene, rng: random.Random, sampling: Sampling) -> PhraseTruth | None:
    thing = _thing_of(scene, rng)
    if thing is None or rng.random() >= sampling.hard_share:
        thing = _invented_thing(rng, sampling.vocabulary)
        concept = _general(thing, rng, sampling)
    else:
        concept = _one_word_off(_general(thing, rng, sampling), rng, sampling.vocabulary)
    if not _is_admitted(concept, sampling):
        return None
    if rng.random() < sampling.foreign_share:
        return PhraseTruth(phrase=replace(concept, shape=rng.choice(FOREIGN)).phrase)
    truth = truth_of(concept, scene, phrase=_said(concept, rng, sampling))
    return None if truth.indices else truth


def _thing_of(scene: Scene, rng: random.Random) -> Thing | None:
    things = [thing for thing in scene.things if not thing.text]
    return rng.choice(things) if things else None


def _invented_thing(rng: random.Random, vocabulary: Vocabulary) -> Thing:
    return Thing(
        shape=rng.choice(vocabulary.names(Kind.SHAPE)),
        colour=rng.choice(vocabulary.names(Kind.COLOUR)),
        texture=rng.choice(vocabulary.names(Kind.TEXTURE)),
    )


def _general(thing: Thing, rng: random.Random, sampling: Sampling) -> Concept:
    """A concept that *thing* belongs to."""
    (form,) = rng.choices(tuple(_FORMS), weights=tuple(_FORMS.values()))
    shape = thing.shape
    if rng.random() < sampling.family_share:
        shape = WORD_OF[shape].family
    return Concept(
        shape=shape if form[0] else "",
        colour=thing.colour if form[1] else "",
        texture=thing.texture if form[2] else "",
    )


def _one_word_off(concept: Concept, rng: random.Random, vocabulary: Vocabulary) -> Concept:
    part = rng.choice([kind for kind in Kind if getattr(concept, kind)])
    names: Sequence[str] = vocabulary.names(part)
    if part is Kind.SHAPE and concept.shape in vocabulary.families():
        names = vocabulary.families()
    return replace(concept, **{part.value: rng.choice(names)})


def _said(concept: Concept, rng: random.Random, sampling: Sampling) -> str:
    """The phrase of *concept*, some words by another name."""
    parts = {
        kind.value: rng.choice(WORD_OF[name].synonyms)
        for kind in Kind
        if (name := getattr(concept, kind)) in WORD_OF and rng.random() < sampling.synonym_share
    }
    return replace(concept, **parts).phrase


def _is_admitted(concept: Concept, sampling: Sampling) -> bool:
    """Whether all its words are in the vocabulary, and one of them is what it must mention."""
    named = {getattr(concept, kind) for kind in Kind} - {""}
    vocabulary = sampling.vocabulary
    known = {word.name for word in vocabulary.words} | set(vocabulary.families())
    has_wanted = not sampling.must_mention or not named.isdisjoint(sampling.must_mention)
    return named <= known and has_wanted
