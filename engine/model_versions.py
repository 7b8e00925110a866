"""
Models as facts: which weights there have been, what they were made with, and which are in use.

Aliases are derived: the newest promotion of a role says which version its champion is.
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """From now on a model version is the champion of its role: a fact."""

    model: str  # its name
    role: Role
    replaces: str  # the champion before; "" for none
    evaluation_id: str  # on which the gate let it through; "" for a rollback or by hand
    person: str  # who asked for it
    reason: str  # a sentence

    @property
    def id(self) -> str:
        return content_id(
            "promotion",
            model=self.model,
            role=self.role.value,
            replaces=self.replaces,
            evaluation_id=self.evaluation_id,
            person=self.person,
            reason=self.reason,
        )
