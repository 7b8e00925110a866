"""
Who the people are, how often they are right, and what they do besides answering.

  share           value   source
  accuracy        0.750   a mask judged right; average over domains of people's agreement with the
                          majority of others (SAM 3 paper, table of verifier accuracy)
  the same        0.818   a pair judged right; a correction is right as often, for lack of a number
  the same        0.95    a phrase judged right: an assumption, below the 0.97 that a second
                          annotator's IL_MCC of 0.94 means for balanced pairs (table of verifiers)
  skips           0.02    an assumption
  second thoughts 0.03    an assumption: an answer is changed right after it was sent
  regrets         0.005   an assumption: an answer is deleted
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from demo.known import Known
from demo.reviewers import AVERAGE, PHRASE_ACCURACY
from engine.ids import file_id
from engine.queues import Asked
from engine.records import Pair

Knowledge: TypeAlias = dict[str, Known]  # by pair id

ACCURACY = MappingProxyType(
    dict.fromkeys(Asked, AVERAGE[1])
    | {Asked.MASK: AVERAGE[0], Asked.GROUNDABILITY: PHRASE_ACCURACY}
)

_NAMES = (
    *("anna", "ben", "carla", "david", "emma", "felix", "greta", "henry", "ines", "jonas"),
    *("karla", "lukas", "maria", "nils", "olga", "paul", "rosa", "simon", "tara", "viktor"),
)
_DOMAIN = "people.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How often somebody does something else than to answer."""

    skips: float = 0.02
    second_thoughts: float = 0.03
    regrets: float = 0.005


def emails(num_people: int) -> list[str]:
    """Return the addresses of *num_people*, at most 20."""
    if num_people > len(_NAMES):
        raise ValueError(f"{num_people} people, but there are names for {len(_NAMES)}")
    return [f"{name}@{_DOMAIN}" for name in _NAMES[:num_people]]


def is_one_of_them(maker: str) -> bool:
    """Whether a maker of a resolution is one of these people."""
    return maker.endswith(f"@{_DOMAIN}")


def knowledge(known: Mapping[tuple[str, str], Known]) -> Knowledge:
    """Return what is true of pairs, given by the uri of a file and a phrase."""
    media_ids: dict[str, str] = {}
    found: Knowledge = {}
    for (uri, phrase), each in known.items():
        if uri not in media_ids:
            path = Path(unquote(urlsplit(uri).path))
            media_ids[uri] = file_id("media", path)
        found[Pair(media_id=media_ids[uri], phrase=phrase).id] = each
    return found
