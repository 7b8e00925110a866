"""
The engine's own steps on scenes in memory: the proposer proposes, the verifier judges.

Nothing here decides anything: stages, verifier client and policy are those of the product, and the
facts that a database would keep are kept in lists.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.known import Shown, right_answer
from demo.paper.scenes import Asked
from demo.reviewers import BATCH, votes_on
from engine.asking import Inquiry
from engine.audits import draw_subjects
from engine.calibration import calibrate
from engine.errors import MaskloopError
from engine.labels import AuditLabel, Sampling, adjudicate
from engine.policy import PairVerdicts, Policy
from engine.ports import MediaReader, Proposer
from engine.records import Failure, Prompt, ProposalSet
from engine.stages.propose import propose
from engine.stages.verify import (
    accepted_masks,
    proposed_masks,
    verify_exhaustivity,
    verify_masks,
)
from engine.thresholds import Goal
from engine.verdicts import Verdict, VerdictTask, accepted_set_id, masks_by_id
from flows.services.embedded import verifier_kept
from flows.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A pair with what was proposed for it and what the verifier said about that."""

    asked: Asked
    proposals: ProposalSet
    verdicts: Mapping[str, Verdict]  # by subject id
    accepted: tuple[str, ...]  # ids of the masks that MV accepts

    def exhaustivity(self, mask_ids: Sequence[str]) -> Verdict:
        """Return EV's verdict on these masks; it was asked about none and about the accepted."""
        return self.verdicts[accepted_set_id(self.asked.pair.id, mask_ids)]

    def for_policy(self, domain: str) -> PairVerdicts:
        """Return the verdicts as the product's routing takes them."""
        said = self.verdicts.values()
        return PairVerdicts(
            pair_id=self.asked.pair.id,
            domain=domain,
            masks={own: self.verdicts[own] for own in masks_by_id(self.proposals)},
            exhaustivity=tuple(e for e in said if e.task is VerdictTask.EXHAUSTIVITY),
            groundability=next((e for e in said if e.task is VerdictTask.GROUNDABILITY), None),
        )


def propose_for(
    asked: Sequence[Asked], *, proposer: Proposer, reader: MediaReader
) -> list[ProposalSet]:
    """Return what *proposer* offers for each pair, in their order."""
    prompts = [Prompt(pair=each.pair) for each in asked]
    output = propose(prompts, proposer=proposer, media=reader, num_threads=1)
    _refuse(output.failures)
    return list(output.items)


def judge(
    asked: Sequence[Asked], sets: Sequence[ProposalSet], *, reader: MediaReader, settings: Settings
) -> list[Judged]:
    """Return what the verifier of *settings* says about each pair and its proposals."""
    return asyncio.run(_judged(asked, sets, reader, settings))


def calibrated(judged: Sequence[Judged], *, domain: str, goal: Goal, per_task: int) -> Policy:
    """Let simulated people label a random sample, and return what the verifier may then decide."""
    said = {verdict.id: verdict for each in judged for verdict in each.verdicts.values()}
    verdicts = [(domain, own) for own in sorted(said.values(), key=lambda one: one.pair_id)]
    by_pair = {each.asked.pair.id: each for each in judged}
    drawn = draw_subjects(verdicts, per_task=per_task, seed=0)
    labels = [_label(verdict, domain, by_pair[verdict.pair_id]) for _, verdict in drawn]
    return Policy.of(calibrate(verdicts, labels, goal=goal))


async def _judged(
    asked: Sequence[Asked], sets: Sequence[ProposalSet], reader: MediaReader, settings: Settings
) -> list[Judged]:
    # Drawing pictures needs torch, which takes seconds to import.
    from verifiers.client.connecting import connect

    batch = [proposed_masks(one.pair, found) for one, found in zip(asked, sets, strict=True)]
    with verifier_kept(settings) as named:
        verifier = await connect(named, named.addresses)
        inquiry = Inquiry(verifier=verifier, media=reader, stored=lambda _: {})
        on_masks = await verify_masks(batch, inquiry=inquiry)
        _refuse(on_masks.failures)
        by_mask = {each.subject_id: each for each in on_masks.verdicts}
        accepted = [accepted_masks(each, by_mask) for each in batch]
        on_sets = await verify_exhaustivity(accepted, inquiry=inquiry)
        _refuse(on_sets.failures)
    verdicts = {each.id: each for each in (*on_masks.verdicts, *on_sets.verdicts)}
    named_by = {
        (each.pair_id, verdicts[own].subject_id): verdicts[own]
        for each in (*on_masks.verifications, *on_sets.verifications)
        for own in each.verdict_ids
    }
    of_pair: dict[str, dict[str, Verdict]] = {each.pair.id: {} for each in asked}
    for (pair_id, subject_id), verdict in named_by.items():
        of_pair[pair_id][subject_id] = verdict
    return [
        Judged(
            asked=one,
            proposals=found,
            verdicts=of_pair[one.pair.id],
            accepted=kept.mask_ids,
        )
        for one, found, kept in zip(asked, sets, accepted, strict=True)
    ]


def _label(verdict: Verdict, domain: str, judged: Judged) -> AuditLabel:
    """Return what three simulated people, and a referee where they differ, say."""
    masks = masks_by_id(judged.proposals)
    sets = [(), judged.accepted]
    pair_id = judged.asked.pair.id
    shown = Shown(masks=masks, sets={accepted_set_id(pair_id, ids): ids for ids in sets})
    truth = right_answer(verdict, judged.asked.known, shown)
    votes, referee = votes_on(verdict, truth, domain=domain)
    return AuditLabel(
        task=verdict.task,
        subject_id=verdict.subject_id,
        pair_id=pair_id,
        mask_ids=tuple(sorted(_mask_ids(verdict, shown))),
        votes=tuple(votes),
        referee=referee,
        option=adjudicate(verdict.task, votes, referee),
        sampling=Sampling.RANDOM,
        batch=BATCH,
    )


def _mask_ids(verdict: Verdict, shown: Shown) -> Sequence[str]:
    if verdict.task is VerdictTask.MASK:
        return (verdict.subject_id,)
    return shown.sets.get(verdict.subject_id, ())


def _refuse(failures: Sequence[Failure]) -> None:
    """Raise where a stage could not finish: half a table would pass for a whole one."""
    if failures:
        first = failures[0]
        raise MaskloopError(
            f"{len(failures)} pairs failed, {first.subject_id}: {first.reason} ({first.detail})"
        )
