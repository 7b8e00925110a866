"""
What any phrase of the world's ontology names in a scene: also one that nobody drew a truth for.

Hard negatives are made by the engine from the ontology, so their truth has to be looked up.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from demo.world.ontology import concept_nodes
from demo.world.phrases import Concept, PhraseTruth, truth_of
from demo.world.scenes import Scene, Thing
from demo.world.vocabulary import GENERIC, WORD_OF, WORLD


def meaning_in(scene: Scene, phrase: str) -> PhraseTruth | None:
    """Return what *phrase* names in *scene*; None if no node of the ontology is called so."""
    if (concept := _concepts().get(phrase)) is not None:
        return truth_of(concept, scene, phrase=phrase)
    if (is_named := _broad().get(phrase)) is None:
        return None
    indices = tuple(i for i, thing in enumerate(scene.things) if not thing.text and is_named(thing))
    has_group = any(scene.things[index].is_group for index in indices)
    return PhraseTruth(phrase=phrase, indices=indices, has_group=has_group)


@lru_cache(maxsize=1)
def _concepts() -> Mapping[str, Concept]:
    """The concept of each node that names words, under all its names."""
    return {name: concept for names, concept in concept_nodes() for name in names}


@lru_cache(maxsize=1)
def _broad() -> Mapping[str, Callable[[Thing], bool]]:
    """What the other nodes mean: a family of words, or any thing at all."""
    families = dict.fromkeys(word.family for word in WORLD.words)
    return {GENERIC: lambda _: True, **{family: _is_of(family) for family in families}}


def _is_of(family: str) -> Callable[[Thing], bool]:
    def is_named(thing: Thing) -> bool:
        words = (thing.shape, thing.colour, thing.texture)
        return any(WORD_OF[word].family == family for word in words if word in WORD_OF)

    return is_named
