"""
What a run of a phase is told: one flat form for the command line, Prefect's UI and the database.

Prefect derives the form of a deployment from these models. 0 and "" mean: not bounded, not wanted.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import ConfigError
from engine.model_versions import Role
from engine.phases import Budget, ExitCriteria, Loop, Phase, PhasePlan


class PhaseParameters(BaseModel):
    """What every phase is told. At least one budget must be given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: ClassVar[Phase]

    domains: tuple[str, ...] = Field(
        default=(), description="Domains of the pairs to take up. Empty: all domains."
    )
    pairs: int = Field(
        default=0,
        title="Pairs",
        ge=0,
        description="Budget: pairs to take up; hard negatives count. 0: not bounded.",
    )
    human_hours: float = Field(
        default=0,
        title="Human hours",
        ge=0,
        description="Budget: hours of people's answers. 0: not bounded.",
    )
    gpu_hours: float = Field(
        default=0,
        title="GPU hours",
        ge=0,
        description="Budget: hours that machines work. 0: not bounded.",
    )
    finished_share: float = Field(
        default=1.0,
        title="Finished share",
        gt=0,
        le=1,
        description="People are waited for until this share of the pairs is finished or dropped.",
    )
    is_ended_by_refuted_threshold: bool = Field(
        default=True,
        title="Stop when a threshold is refuted",
        description="Stop when shadow review finds more errors than a threshold promises.",
    )
    wait_hours: float = Field(
        default=0,
        title="Hours to wait for people",
        ge=0,
        description="Hours to wait for people in one round. 0: as long as the budgets last.",
    )
    rounds: int = Field(
        default=1,
        ge=1,
        le=50,
        description="Rounds: annotate, and with a gold snapshot also train and gate.",
    )
    gold: str = Field(
        default="",
        title="Gold snapshot",
        description="Gold snapshot that candidates are measured on. Empty: nothing is trained.",
    )
    keep: tuple[str, ...] = Field(
        default=(),
        title="Gold snapshots to keep",
        description="Further gold snapshots, on which nothing may be lost.",
    )
    mix: str = Field(
        default="",
        title="Snapshot to mix in",
        description="Snapshot of general data to mix in 1:1. Empty: none.",
    )
    trains_proposer: bool = Field(
        default=True, title="Train the proposer", description="Train the proposer in each round."
    )
    trains_verifier: bool = Field(
        default=False, title="Train the verifier", description="Train the verifier in each round."
    )
    train_steps: int = Field(
        default=0,
        title="Training steps",
        ge=0,
        description="Training steps of each model. 0, and no minutes: as its recipe says.",
    )
    train_minutes: float = Field(
        default=0,
        title="Training minutes",
        ge=0,
        description="Training minutes of each model, instead of steps.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of training; a round adds its number.")
    is_ended_by_promotion: bool = Field(
        default=False,
        title="End at a promotion",
        description="End when the gate has let a candidate through.",
    )
    worker_runs: int = Field(
        default=0,
        title="Worker flows",
        ge=0,
        le=1000,
        description=(
            "Worker flows on the work pool that propose and verify."
            " 0: the machine of this run does it itself."
        ),
    )

    @model_validator(mode="after")
    def _is_a_plan(self) -> Self:
        try:
            self.plan()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def plan(self) -> PhasePlan:
        """
        Return the plan that this stands for.

        Raises:
            ConfigError: If it has no budget, or training has no bound or two.
        """
        return PhasePlan(
            phase=self._phase(),
            domains=self.domains,
            budget=Budget(
                human_hours=self.human_hours or None,
                gpu_hours=self.gpu_hours or None,
                pairs=self.pairs or None,
            ),
            exits=ExitCriteria(
                finished_share=self.finished_share,
                is_ended_by_refuted_threshold=self.is_ended_by_refuted_threshold,
                is_ended_by_promotion=self.is_ended_by_promotion,
            ),
            has_mining=self._has_mining(),
            loop=self._loop(),
            rounds=self.rounds,
        )

    def _phase(self) -> Phase:
        return self.phase

    def _has_mining(self) -> bool:
        return False

    def _loop(self) -> Loop | None:
        if not self.gold:
            return None
        wanted = {Role.PROPOSER: self.trains_proposer, Role.VERIFIER: self.trains_verifier}
        roles = tuple(role for role, is_wanted in wanted.items() if is_wanted)
        return Loop(
            gold=self.gold,
            keep=self.keep,
            roles=roles,
            mix=self.mix,
            train_steps=self.train_steps or None,
            train_minutes=self.train_minutes or None,
            seed=self.seed,
        )


class Phase1Parameters(PhaseParameters):
    """Human verification: people verify and correct every pair."""

    phase: ClassVar[Phase] = Phase.HUMAN


class _MiningParameters(PhaseParameters):
    is_mining: bool = Field(
        default=True,
        title="Mine hard negatives",
        description="Mine hard negatives of the pairs that are finished.",
    )

    def _has_mining(self) -> bool:
        return self.is_mining


class Phase2Parameters(_MiningParameters):
    """Human and AI verification: verifiers decide where they may, people the rest."""

    phase: ClassVar[Phase] = Phase.HUMAN_AND_AI


class Phase3Parameters(_MiningParameters):
    """Scaling and domain expansion: primarily verifiers, also without people at all."""

    phase: ClassVar[Phase] = Phase.SCALING

    has_people: bool = Field(
        default=True,
        title="Ask people",
        description="Off: nobody is asked; the verifier's likeliest answer decides (SYN).",
    )

    def _phase(self) -> Phase:
        return Phase.SCALING if self.has_people else Phase.SYNTHETIC


PARAMETERS: dict[int, type[PhaseParameters]] = {
    1: Phase1Parameters,
    2: Phase2Parameters,
    3: Phase3Parameters,
}


def stored_parameters(phase: Phase, values: Mapping[str, Any]) -> PhaseParameters:
    """Return the parameters that a run keeps, see `flows.supervisor.stored`."""
    number = 3 if phase is Phase.SYNTHETIC else int(phase)
    return parameters_of(number, dict(values))


def parameters_of(number: int, values: dict[str, Any]) -> PhaseParameters:
    """
    Return what phase *number* is told.

    Raises:
        ConfigError: If a value is not allowed; the message names it.
    """
    try:
        return PARAMETERS[number].model_validate(values)
    except ValidationError as error:
        lines = [_line(each["loc"], each["msg"]) for each in error.errors()]
        raise ConfigError(f"phase {number}: {'; '.join(lines)}") from error


def _line(location: tuple[int | str, ...], message: str) -> str:
    place = ".".join(map(str, location))
    said = message.removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
