"""How workers mine: verified positive pairs of a shard in, pairs that fool the proposer out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.domains import domains_of
from db.failures import add_failures
from db.hard_negatives import (
    add_hard_negatives,
    add_yields,
    count_held,
    lock_media,
    mining_key,
    phrases_of_media,
    positives_of,
    retire,
)
from db.pairs import add_pairs
from db.phases import phases_of
from db.proposals import add_proposal_sets
from db.selection import ProposerChoice
from db.session import transaction
from engine.exchanges import Vocabulary
from engine.hard_negatives import Fooling, MiningRules, within_budget
from engine.ports import MediaReader, Proposer
from engine.records import OriginKind, PairOrigin
from engine.stages import mine, propose
from engine.stages.mine import MineOutput
from flows.drain import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class MineJob:
    """Mines hard negatives from verified positive pairs."""

    engine: Engine
    proposer: Proposer
    reader: MediaReader
    cpu_threads: int  # that read and decode images
    vocabulary: Vocabulary
    rules: MiningRules

    stage = mine.STAGE

    @property
    def choice(self) -> ProposerChoice:
        proposer = self.proposer
        return ProposerChoice(
            proposer=proposer.name, inference_settings=proposer.inference_settings
        )

    @property
    def key(self) -> str:
        ontology = self.vocabulary.ontology
        release_id = ontology.id if ontology else ""
        return mining_key(self.choice, rules=self.rules, release_id=release_id)

    async def work(self, pair_ids: Sequence[str]) -> Results:
        with transaction(self.engine) as session:
            positives = positives_of(session, pair_ids)
            media_ids = {each.pair.media_id for each in positives}
            phrases = phrases_of_media(session, media_ids)
        output = mine.mine(
            positives,
            phrases=phrases,
            vocabulary=self.vocabulary,
            rules=self.rules,
            propose=partial(
                propose.propose,
                proposer=self.proposer,
                media=self.reader,
                num_threads=self.cpu_threads,
                images_ahead=2 * self.cpu_threads,
            ),
        )
        counts = {
            "positives": len(positives) - len(output.failures),
            "candidates": sum(each.num_candidates for each in output.tallies),
            "fooling": len(output.fooling),
            "failed": len(output.failures),
        }
        return Results(counts=counts, write=lambda session: self._write(session, output))

    def _write(self, session: Session, output: MineOutput) -> None:
        """Write what fits the budget now: others may have worked on the same media meanwhile."""
        lock_media(session, [each.pair.media_id for each in output.fooling])
        add_hard_negatives(session, output.still_fooling, choice=self.choice)
        kept = self._kept(session, output)
        add_pairs(session, [each.pair for each in kept], _origins(session, kept))
        new = {each.pair.id for each in kept} | {each.pair.id for each in output.still_fooling}
        new |= {pair.id for pair in output.retired}
        add_proposal_sets(session, [output.sets[pair_id] for pair_id in sorted(new)])
        add_hard_negatives(session, kept, choice=self.choice)
        retire(session, output.retired, choice=self.choice)
        num_kept = Counter((each.positive_id, each.relation.value) for each in kept)
        add_yields(session, output.tallies, kept=num_kept, key=self.key)
        add_failures(session, output.failures, key=self.key)

    def _kept(self, session: Session, output: MineOutput) -> list[Fooling]:
        media_ids = {each.pair.media_id for each in output.fooling}
        asked = {own: of.taken for own, of in phrases_of_media(session, media_ids).items()}
        found = [
            each for each in output.fooling if each.pair.phrase not in asked[each.pair.media_id]
        ]
        held = count_held(session, media_ids, choice=self.choice)
        return within_budget(found, held=held, rules=self.rules)


def _origins(session: Session, kept: Sequence[Fooling]) -> list[PairOrigin]:
    """Each is in the domain and the phase of the pair that it was made from."""
    positive_ids = sorted({each.positive_id for each in kept})
    domains, phases = domains_of(session, positive_ids), phases_of(session, positive_ids)
    return [
        PairOrigin(
            pair_id=each.pair.id,
            kind=OriginKind.HARD_NEGATIVE,
            source=each.positive_id,
            domain=domains[each.positive_id],
            phase=phases.get(each.positive_id, ""),
        )
        for each in kept
    ]
