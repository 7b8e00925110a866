"""
Models as facts: which weights there have been, what they were made with, and which are in use.

Aliases are derived: the newest promotion of a role says which version its champion is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.ids import content_id


class Role(StrEnum):
    """What a model does in the engine."""

    PROPOSER = "proposer"
    VERIFIER = "verifier"  # answers mask, exhaustivity and groundability questions


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One set of weights."""

    name: str  # kind and weights digest, such as "sam3@3f9c0a12b4d5e6f7", as facts name their maker
    role: Role
    weights_uri: str  # a folder, an id on the Hugging Face hub, or s3://bucket/prefix
    parent: str = ""  # the name of the version it was trained from; "" for none
    snapshot_id: str = ""  # what it was trained on; "" where that is not known
    recipe: str = ""  # JSON of everything else that its weights depend on, seeds included

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The ids of the snapshots that it was trained on, the one mixed in included."""
        made = json.loads(self.recipe or "{}")
        return tuple(one for one in (self.snapshot_id, made.get("mix", "")) if one)

    @property
    def split(self) -> str:
        """The split of these snapshots."""
        return str(json.loads(self.recipe or "{}").get("split", "train"))


class PromotionKind(StrEnum):
    """How a version came to be the champion."""

    GATE = "gate"  # it was measured against the champion before, and is better
    BY_HAND = "by_hand"  # somebody said so
    ROLLBACK = "rollback"  # it was the champion before, and is again


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """
    From now on a model version is the champion of its role: a fact.

    The promotions of a role are numbered without a gap, so that of two at once one is refused.
    """

    role: Role
    number: int  # 1, 2, ... within the role
    model: str  # its name; "" after a rollback of the first promotion: the settings' own weights
    replaces: str  # the champion before; "" for none
    kind: PromotionKind
    evaluation_id: str  # on which the gate let it through; "" for a rollback or by hand
    person: str  # who asked for it
    reason: str  # a sentence

    @property
    def id(self) -> str:
        return content_id(
            "promotion",
            role=self.role.value,
            number=self.number,
            model=self.model,
            replaces=self.replaces,
            how=self.kind.value,
            evaluation_id=self.evaluation_id,
            person=self.person,
            reason=self.reason,
        )


def before(history: Sequence[Promotion]) -> str:
    """
    Return the champion that a rollback brings back; "" for the settings' own weights.

    Args:
        history: All promotions of one role, oldest first; at least one.

    Rolling back twice goes back two promotions, not back and forth.
    """
    champions: list[str] = []
    for promotion in history:
        if promotion.kind is PromotionKind.ROLLBACK:
            champions.pop()
        else:
            champions.append(promotion.model)
    return champions[-2] if len(champions) > 1 else ""
