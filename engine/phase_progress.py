"""How far a run of a phase is, and whether it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.phases import PhasePlan, RunState
from engine.records import PairState

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a phase stands."""

    by_state: Mapping[PairState, int]  # all pairs of the phase, those of earlier runs included
    new_pairs: int  # that came into the phase since this run began
    human_seconds: float  # since this run began
    machine_seconds: float  # of this run's steps
    waiting_items: int  # questions to people about the phase's pairs
    refuted: tuple[str, ...] = ()  # thresholds that shadow review refuted since the run began
    promoted: tuple[str, ...] = ()  # models, by this run

    @property
    def pairs(self) -> int:
        return sum(self.by_state.values())

    @property
    def settled(self) -> int:
        """Pairs that are finished or dropped."""
        ended = (PairState.FINISHED, PairState.DROPPED)
        return sum(self.by_state.get(state, 0) for state in ended)

    @property
    def share(self) -> float:
        """The settled pairs over all, in [0, 1]; 1 where there is none."""
        return self.settled / self.pairs if self.pairs else 1.0

    @property
    def human_hours(self) -> float:
        return self.human_seconds / _SECONDS_PER_HOUR

    @property
    def machine_hours(self) -> float:
        return self.machine_seconds / _SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """That a run ends, and why."""

    state: RunState  # finished: by its budgets or criteria; stopped: something forbids to go on
    reason: str  # a sentence


def used_up(plan: PhasePlan, progress: Progress) -> Decision | None:
    """
    Return why the run must end whatever it is at; None: it goes on.

    What forbids to go on is looked at first, then the budgets of hours. The budget of pairs ends
    nothing: it bounds what is taken up, and what was taken up is worked off.
    """
    if plan.exits.is_ended_by_refuted_threshold and progress.refuted:
        named = ", ".join(progress.refuted)
        return Decision(
            state=RunState.STOPPED, reason=f"shadow review found too many errors: {named}"
        )
    human, gpu = plan.budget.human_hours, plan.budget.gpu_hours
    if human is not None and progress.human_hours >= human:
        return _finished(f"the {human:g} human hours are used up")
    if gpu is not None and progress.machine_hours >= gpu:
        return _finished(f"the {gpu:g} GPU hours are used up")
    return None


def is_annotated(plan: PhasePlan, progress: Progress) -> bool:
    """Whether nothing waits for people, or enough pairs are settled."""
    return progress.waiting_items == 0 or progress.share >= plan.exits.finished_share


def reached(plan: PhasePlan, progress: Progress, *, rounds_done: int) -> Decision | None:
    """
    Return why the run ends between two rounds; None: another round follows.

    Args:
        plan: Of the run.

        progress: How it stands.

        rounds_done: Rounds that are over.
    """
    if (ended := used_up(plan, progress)) is not None:
        return ended
    if plan.exits.is_ended_by_promotion and progress.promoted:
        return _finished(f"the gate let {', '.join(progress.promoted)} through")
    if rounds_done >= plan.rounds:
        rounds = "the round is" if plan.rounds == 1 else f"all {plan.rounds} rounds are"
        return _finished(f"{rounds} done, {100 * progress.share:.4g} % of the pairs are settled")
    return None


def _finished(reason: str) -> Decision:
    return Decision(state=RunState.FINISHED, reason=reason)
