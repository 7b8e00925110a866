"""What every stage returns: an answer for each input, in items or in failures."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.records import Failure

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput(Generic[Item]):
    """The results of one batch. Each input is in one of the two, never in neither."""

    items: tuple[Item, ...] = ()
    failures: tuple[Failure, ...] = ()
