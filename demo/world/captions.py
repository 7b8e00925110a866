"""Captions: what a person who sees a scene would write under it."""

from collections import Counter

from demo.world.scenes import Scene, Thing

_NUMBERS = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight")
_PLURALS = {"box": "boxes", "cross": "crosses"}


def caption(scene: Scene) -> str:
    """Return one sentence that counts the scene's things by look, most frequent first."""
    looks = Counter(_look(thing) for thing in scene.things if not thing.is_group and not thing.text)
    parts = [_counted(look, count) for look, count in looks.most_common()]
    parts += [f"a crowd of {_plural(_look(thing))}" for thing in scene.things if thing.is_group]
    parts += [f'the word "{thing.text}"' for thing in scene.things if thing.text]
    return f"{_listed(parts) or 'nothing'} on a blurry background"


def _look(thing: Thing) -> str:
    """Nobody says that a plain thing is plain."""
    texture = "" if thing.texture == "plain" else f"{thing.texture} "
    return f"{texture}{thing.colour} {thing.shape}"


def _counted(look: str, count: int) -> str:
    if count > 1:
        return f"{_NUMBERS[count]} {_plural(look)}"
    return f"an {look}" if look[0] in "aeiou" else f"a {look}"


def _plural(look: str) -> str:
    before, _, noun = look.rpartition(" ")
    return f"{before} {_PLURALS.get(noun, noun + 's')}"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
