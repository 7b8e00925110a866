"""
What workers drain: each stage with its models, its media and its database.

Every job reads the facts of a shard's pairs, runs the pure stage on them, and says how to write
what came out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.failures import add_failures
from db.pairs import move_pairs, pairs_by_id
from db.planning import proposer_key
from db.proposals import add_proposal_sets, newest_proposal_sets
from db.session import transaction
from db.verdicts import add_verdicts, add_verifications, verdicts_by_id, verifications_of
from engine.asking import Inquiry
from engine.ports import MediaReader, Proposer
from engine.records import PairState, Prompt
from engine.stages import propose, verify
from engine.stages.verify import PairMasks, VerifyOutput, accepted_masks, proposed_masks
from flows.drain import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeJob:
    """Proposes masks for the pairs' texts."""

    engine: Engine
    proposer: Proposer
    reader: MediaReader
    cpu_threads: int  # that read and decode images

    stage = propose.STAGE

    @property
    def key(self) -> str:
        proposer = self.proposer
        return proposer_key(proposer=proposer.name, inference_settings=proposer.inference_settings)

    async def work(self, pair_ids: Sequence[str]) -> Results:
        with transaction(self.engine) as session:
            pairs = pairs_by_id(session, pair_ids)
        output = propose.propose(
            [Prompt(pair=pair) for pair in pairs],
            proposer=self.proposer,
            media=self.reader,
            num_threads=self.cpu_threads,
            images_ahead=2 * self.cpu_threads,
        )

        def write(session: Session) -> None:
            add_proposal_sets(session, output.items)
            add_failures(session, output.failures, key=self.key)

        counts = {
            "pairs": len(output.items),
            "masks": sum(len(found.proposals) for found in output.items),
            "failed": len(output.failures),
        }
        return Results(counts=counts, write=write)


@dataclass(frozen=True, slots=True, kw_only=True)
class _VerifyJob:
    """What the two verify jobs share."""

    engine: Engine
    inquiry: Inquiry

    @property
    def key(self) -> str:
        return self.inquiry.key

    def proposed(self, session: Session, pair_ids: Sequence[str]) -> list[PairMasks]:
        """Return the pairs with all masks of their newest proposal sets."""
        newest = newest_proposal_sets(session, pair_ids)
        pairs = pairs_by_id(session, pair_ids)
        return [proposed_masks(pair, newest[pair.id]) for pair in pairs if pair.id in newest]

    def write(self, session: Session, output: VerifyOutput) -> None:
        """Add the facts of *output*."""
        add_verdicts(session, output.verdicts)
        add_verifications(session, output.verifications)
        add_failures(session, output.failures, key=self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskJob(_VerifyJob):
    """Judges each mask that was proposed."""

    stage = verify.MASKS

    async def work(self, pair_ids: Sequence[str]) -> Results:
        with transaction(self.engine) as session:
            batch = self.proposed(session, pair_ids)
        before = self.inquiry.verifier.tokens_spent
        output = await verify.verify_masks(batch, inquiry=self.inquiry)

        def write(session: Session) -> None:
            self.write(session, output)
            through = [each.pair_id for each in output.verifications]
            targets = dict.fromkeys(through, PairState.EXHAUSTIVITY_VERIFICATION)
            move_pairs(session, targets, sources=[PairState.MASK_VERIFICATION])

        tokens = self.inquiry.verifier.tokens_spent - before
        return Results(counts=_counts(output), write=write, tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustivityJob(_VerifyJob):
    """Judges whether the accepted masks of a pair cover all."""

    stage = verify.EXHAUSTIVITY

    async def work(self, pair_ids: Sequence[str]) -> Results:
        with transaction(self.engine) as session:
            batch = self._accepted(session, self.proposed(session, pair_ids))
        before = self.inquiry.verifier.tokens_spent
        output = await verify.verify_exhaustivity(batch, inquiry=self.inquiry)
        return Results(
            counts=_counts(output),
            write=lambda session: self.write(session, output),
            tokens=self.inquiry.verifier.tokens_spent - before,
        )

    def _accepted(self, session: Session, proposed: Sequence[PairMasks]) -> list[PairMasks]:
        """
        Return the pairs with the masks that this verifier accepted.

        A pair that was proposed for anew meanwhile is left out: its masks come first.
        """
        judged = verifications_of(
            session, [each.pair.id for each in proposed], stage=verify.MASKS, key=self.key
        )
        ids = {each.set_id: each.verdict_ids for each in judged}
        verdicts = verdicts_by_id(session, [one for of_set in ids.values() for one in of_set])
        by_mask = {verdict.subject_id: verdict for verdict in verdicts.values()}
        return [
            accepted_masks(each, by_mask)
            for each in proposed
            if each.set_id in ids or not each.masks
        ]


def _counts(output: VerifyOutput) -> dict[str, int]:
    return {
        "pairs": len(output.verifications),
        "verdicts": len(output.verdicts),
        "failed": len(output.failures),
    }
