"""
How often the promise of `engine.thresholds` is kept: a share of worlds, not a speed.

The hardest worlds have one error rate just above the target everywhere, so that any threshold that
passes breaks the promise.
"""

from benchmarks.rows import Row, at_least
from benchmarks.worlds import World, hardest_worlds, random_worlds
from engine.thresholds import Choice, Goal, choose_threshold

_GOAL = Goal()
_NUM_WORLDS = 10_000
_JUST_TOO_HIGH = 1.001 * _GOAL.target_error


def rows() -> list[Row]:
    worlds = ((world, _choice(world)) for world in random_worlds(_NUM_WORLDS))
    found = [
        (
            choice.threshold is not None,
            world.is_broken(choice, _GOAL),
            world.is_broken_ahead(choice, _GOAL),
        )
        for world, choice in worlds
    ]
    with_threshold, broken, broken_ahead = (sum(column) for column in zip(*found, strict=True))
    passed = sum(
        _choice(world).threshold is not None
        for world in hardest_worlds(_NUM_WORLDS, rate=_JUST_TOO_HIGH)
    )
    promised = _GOAL.confidence
    return [
        Row(name="random worlds with a threshold", value=with_threshold, unit="worlds"),
        at_least("promise kept, random worlds", 1 - broken / _NUM_WORLDS, "share", promised),
        at_least(
            "kept for verdicts to come, random worlds",
            1 - broken_ahead / _NUM_WORLDS,
            "share",
            promised,
        ),
        at_least("promise kept, hardest worlds", 1 - passed / _NUM_WORLDS, "share", promised),
    ]


def _choice(world: World) -> Choice:
    return world.choice(choose_threshold, _GOAL)
