"""
Which rows a step learns from.

Everything follows from seed and step alone, so a run that was killed goes on with what it would
have seen. Half of the rows (the share of the recipe) come from the general set where there is one:
what is only taught new forgets the old, and adaptation without mixing is worse everywhere (SAM 3
paper, appendix A.3).

People accept most of what they are shown. A group of rows (task, with or without masks, option) is
drawn in proportion to the square root of its size: rare options are seen more often than they
occur, and yet not as often as common ones. The order of the options is drawn anew each time.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine.errors import ConfigError
from engine.verdicts import OPTIONS, Option, VerdictTask
from engine.verifier_rows import VerifierRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A row, and the order of its options."""

    row: VerifierRow
    order: tuple[Option, ...]


class Pool:
    """Rows to draw from; at least one."""

    def __init__(self, rows: Iterable[VerifierRow]) -> None:
        groups: defaultdict[tuple[str, bool, str], list[VerifierRow]] = defaultdict(list)
        for row in rows:
            question = row.question
            groups[question.task, bool(question.masks), row.option].append(row)
        self._groups = [groups[key] for key in sorted(groups)]
        self._weights = list(accumulate(len(group) ** 0.5 for group in self._groups))

    def draw(self, rng: random.Random) -> VerifierRow:
        """Return one row."""
        (group,) = rng.choices(self._groups, cum_weights=self._weights)
        return rng.choice(group)


class Draws:
    """
    What each step of a run learns from.

    Args:
        rows: The new ones.

        mix: General ones; none: all of a step are new.

        mix_share: Of a step's rows, in [0, 1].

        seed: Another seed draws others.
    """

    def __init__(
        self,
        rows: Sequence[VerifierRow],
        mix: Sequence[VerifierRow],
        *,
        mix_share: float,
        seed: int,
    ) -> None:
        self._new = Pool(rows)
        self._general = Pool(mix) if mix else None
        self._mix_share = mix_share
        self._seed = seed

    def of_step(self, step: int, places: Iterable[int]) -> list[Drawn]:
        """Return the rows at these places of a step's batch."""
        return [self._at(step, place) for place in places]

    def _at(self, step: int, place: int) -> Drawn:
        rng = random.Random(f"{self._seed}/{step}/{place}")
        is_general = self._general is not None and rng.random() < self._mix_share
        row = (self._general if is_general and self._general else self._new).draw(rng)
        options = OPTIONS[row.question.task]
        return Drawn(row=row, order=tuple(rng.sample(options, len(options))))


def teachable(
    rows: Sequence[VerifierRow], mix: Sequence[VerifierRow]
) -> tuple[list[VerifierRow], list[VerifierRow], list[VerdictTask]]:
    """
    Return the rows that teach something, of both sets, and the tasks that were left out.

    Rows of a task that all have one answer teach to give it always, so that task is left out.

    Raises:
        ConfigError: If no new row is left.
    """
    if not rows:
        msg = "no row to learn from: nobody has decided anything about pairs of this snapshot"
        raise ConfigError(f"{msg}, or all of them have audit labels; review some and select anew")
    options: defaultdict[VerdictTask, Counter[Option]] = defaultdict(Counter)
    for row in (*rows, *mix):
        options[row.question.task][row.option] += 1
    alone = [task for task in VerdictTask if len(options[task]) == 1]
    kept = [[row for row in some if row.question.task not in alone] for some in (rows, mix)]
    if not kept[0]:
        (said,) = {option.value for task in alone for option in options[task]} or {""}
        msg = f"all {len(rows)} rows have the answer {said!r}: a verifier would learn to give it"
        raise ConfigError(f"{msg} always; add rows with others, such as --mix with a general set")
    return kept[0], kept[1], alone
