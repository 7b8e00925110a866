"""
Phases: in which way pairs are annotated, by whom, how far, and what follows from it.

  1     people verify and correct everything; no judge is asked
  2     verifiers decide where people's labels let them, people the rest; hard negatives are mined
  3     the same at scale and in new domains
  syn   phase 3 without people: the verifier's likeliest answer decides (`engine.synthetic`)

A pair is in the phases that its origins name. The highest counts, so pairs only go up; synthetic is
the lowest, as a pair that any phase with people has taken up gets people. A pair without a phase
goes the way of phase 2, and no run of a phase touches it.

A plan bounds a phase by budgets and says when it has reached what it is for. Phase 4, video, is not
among these.

Source: the phases of the SAM 3 data engine (paper, section 4 and appendix D.3 to D.5) and of
SA-Co/SYN (appendix E.1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from engine.errors import ConfigError
from engine.model_versions import Role


class Phase(StrEnum):
    """What an origin names. Of several phases of a pair the one that comes last here counts."""

    SYNTHETIC = "syn"
    HUMAN = "1"
    HUMAN_AND_AI = "2"
    SCALING = "3"


class PhaseStep(StrEnum):
    """What a round of a phase does, in this order; the last three are the loop."""

    TAKE_UP = "take_up"  # pairs into the phase
    PROPOSE = "propose"
    VERIFY = "verify"
    PEOPLE = "people"
    MINE = "mine"  # hard negatives, which then go the same way
    SNAPSHOT = "snapshot"
    TRAIN = "train"
    GATE = "gate"  # which promotes the candidate, or refuses it


class RunState(StrEnum):
    """Where a run of a phase stands."""

    RUNNING = "running"
    PAUSED = "paused"  # nothing new is claimed or shown; what is open is ended
    STOPPED = "stopped"  # by a person, or because something forbids to go on
    FINISHED = "finished"  # by its budgets or exit criteria


class EventKind(StrEnum):
    """What happens to a run."""

    STARTED = "started"
    STEP = "step"  # a step of a round is done
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPED = "stopped"
    FINISHED = "finished"


_AI_STEPS = (PhaseStep.TAKE_UP, PhaseStep.PROPOSE, PhaseStep.VERIFY)
_LOOP_STEPS = (PhaseStep.SNAPSHOT, PhaseStep.TRAIN, PhaseStep.GATE)

STEPS: Mapping[Phase, tuple[PhaseStep, ...]] = MappingProxyType(
    {
        Phase.SYNTHETIC: (*_AI_STEPS, PhaseStep.MINE, *_LOOP_STEPS),
        Phase.HUMAN: (PhaseStep.TAKE_UP, PhaseStep.PROPOSE, PhaseStep.PEOPLE, *_LOOP_STEPS),
        Phase.HUMAN_AND_AI: (*_AI_STEPS, PhaseStep.PEOPLE, PhaseStep.MINE, *_LOOP_STEPS),
        Phase.SCALING: (*_AI_STEPS, PhaseStep.PEOPLE, PhaseStep.MINE, *_LOOP_STEPS),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may use up. None: not bounded; at least one bound must be there."""

    human_hours: float | None = None  # of people's answers to what they were asked about its pairs
    gpu_hours: float | None = None  # that machines work for it, with a GPU or without
    pairs: int | None = None  # that it takes up, and hard negatives that it mines

    def __post_init__(self) -> None:
        bounds = {"human hours": self.human_hours, "GPU hours": self.gpu_hours, "pairs": self.pairs}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if not given:
            raise ConfigError(f"a phase needs a budget: give {', '.join(bounds)} or several")
        for name, bound in given.items():
            if not bound > 0:
                raise ConfigError(f"the budget of {name} must be above 0, got {bound:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCriteria:
    """When a run has reached what it is for, or must not go on, before its budgets are used up."""

    finished_share: float = 1.0  # of its pairs, in (0, 1]; dropped ones count
    is_ended_by_refuted_threshold: bool = True  # shadow review found too many errors
    is_ended_by_promotion: bool = False  # the gate let a candidate through

    def __post_init__(self) -> None:
        if not 0 < self.finished_share <= 1:
            raise ConfigError(f"the finished share must be in (0, 1], got {self.finished_share:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What is trained on what the rounds of a run have annotated, and measured on what."""

    gold: str  # snapshot that candidates are measured on
    keep: tuple[str, ...] = ()  # further gold snapshots, on which nothing may be lost
    roles: tuple[Role, ...] = (Role.PROPOSER,)
    mix: str = ""  # snapshot of general data, mixed in 1:1; "" for none
    train_steps: int | None = None  # None, and no minutes: as the recipe says
    train_minutes: float | None = None
    seed: int = 0  # of training; each round adds its number

    def __post_init__(self) -> None:
        if not self.roles:
            raise ConfigError("a gold snapshot is given and nothing to train: choose a model")
        if self.train_steps is not None and self.train_minutes is not None:
            raise ConfigError("training is bounded by steps or by minutes: not by both")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePlan:
    """Which pairs a run of a phase works on, with what, how far."""

    phase: Phase
    budget: Budget
    domains: tuple[str, ...] = ()  # of its pairs; none: all domains
    exits: ExitCriteria = field(default_factory=ExitCriteria)
    has_mining: bool = True  # where the phase has it
    loop: Loop | None = None  # None: pairs are annotated, nothing is trained
    rounds: int = 1

    def __post_init__(self) -> None:
        if self.phase is Phase.SYNTHETIC and self.budget.human_hours is not None:
            raise ConfigError("phase 3 without people has no human hours: give another budget")
        if self.rounds < 1:
            raise ConfigError(f"a phase has 1 round or more, got {self.rounds}")

    @property
    def steps(self) -> tuple[PhaseStep, ...]:
        """The steps of one round, in their order."""
        left_out = set() if self.has_mining else {PhaseStep.MINE}
        left_out |= set(_LOOP_STEPS) if self.loop is None else set()
        return tuple(step for step in STEPS[self.phase] if step not in left_out)


def phase_of(labels: Iterable[str]) -> Phase | None:
    """
    Return the phase that a pair is in.

    Args:
        labels: The phases that its origins name; texts that name none of ours are passed over.
    """
    order = list(Phase)
    named = [Phase(label) for label in labels if label in order]
    return max(named, key=order.index, default=None)
