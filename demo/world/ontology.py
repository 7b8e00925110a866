"""
The ontology of the world: every plain phrase as a node, under the phrases that say less.

"red circle" lies under "circle" and under "red object"; its siblings, such as "blue circle" and
"red square", are the near misses that hard negatives are mined from.
"""

from collections.abc import Iterator
from itertools import product

from demo.world.phrases import Concept
from demo.world.vocabulary import GENERIC, WORD_OF, WORLD, Kind, Word

VERSION = "1"

# Which words a node may name: any mix but the one of colour and texture alone is worth a node.
_SHAPES: tuple[Word | None, ...]
_SHAPES, _COLOURS, _TEXTURES = (
    (None, *(word for word in WORLD.words if word.kind is kind)) for kind in Kind
)


def ontology() -> dict[str, object]:
    """Return the ontology as `engine.ontology` reads it: broader nodes before narrower ones."""
    return {
        "version": VERSION,
        "concepts": [
            {"id": node_id(name), "name": name, "synonyms": synonyms, "parents": parents}
            for (name, *synonyms), parents in _nodes()
        ],
    }


def node_id(name: str) -> str:
    """Return the id of the node with this first name."""
    return "world:" + name.replace(" ", "-")


def _nodes() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the names of each node and the ids of its parents."""
    yield [GENERIC], []
    for family in dict.fromkeys(word.family for word in WORLD.words):
        yield [family], [node_id(GENERIC)]
    for names, concept in concept_nodes():
        yield names, _parents(concept)


def concept_nodes() -> Iterator[tuple[list[str], Concept]]:
    """Yield the names and the meaning of each node that names words, broader ones first."""
    mixes = sorted(product(_SHAPES, _COLOURS, _TEXTURES), key=_num_words)
    for shape, colour, texture in mixes:
        if _num_words((shape, colour, texture)):
            concept = _concept(shape, colour, texture)
            yield _names(concept), concept


def _num_words(mix: tuple[Word | None, ...]) -> int:
    return sum(word is not None for word in mix)


def _concept(shape: Word | None, colour: Word | None, texture: Word | None) -> Concept:
    return Concept(
        shape=shape.name if shape else "",
        colour=colour.name if colour else "",
        texture=texture.name if texture else "",
    )


def _parents(concept: Concept) -> list[str]:
    """The concept with one word less, or the family of its only word."""
    parts = {kind: getattr(concept, kind) for kind in Kind if getattr(concept, kind)}
    if len(parts) == 1:
        (name,) = parts.values()
        return [node_id(WORD_OF[name].family)]
    broader = [{k.value: v for k, v in parts.items() if k is not left_out} for left_out in parts]
    return [node_id(Concept(**rest).phrase) for rest in broader]


def _names(concept: Concept) -> list[str]:
    """The phrase itself first, then every mix of its words' other names."""
    alternatives = [
        (name, *WORD_OF[name].synonyms) if name else ("",)
        for name in (concept.shape, concept.colour, concept.texture)
    ]
    return [
        Concept(shape=shape, colour=colour, texture=texture).phrase
        for shape, colour, texture in product(*alternatives)
    ]
