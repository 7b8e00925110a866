"""Pairs of one media as the verify worker leaves them: proposed for, judged, not yet routed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from db.verdicts import add_verdicts, add_verifications
from engine.decisions import CalibratedTask, Decision
from engine.records import MediaSource, Pair, ProposalSet
from engine.stages.verify import EXHAUSTIVITY, MASKS
from engine.verdicts import Option, Verdict, Verification
from flows.settings import RoutingSettings, Settings
from tests.factories import a_mask, a_media, a_proposal_set
from tests.verdicts import (
    DOMAIN,
    JUDGE,
    a_calibration,
    a_groundability_verdict,
    a_mask_verdict,
    an_exhaustivity_verdict,
)

KEY = f"{JUDGE}/settings"
MEDIA = a_media()
YES, NO = Option.ACCEPT, Option.REJECT
CALIBRATIONS = [
    *(a_calibration(task) for task in CalibratedTask),
    *(a_calibration(task, Decision.DROP) for task in CalibratedTask),
    a_calibration(CalibratedTask.MASK, Decision.REJECT),
]
NO_SHADOW = Settings(routing=RoutingSettings(shadow_share=0))


@dataclass(frozen=True)
class Judged:
    """A pair with masks, and what the judge said about it."""

    pair: Pair
    proposals: ProposalSet
    verdicts: Sequence[Verdict]
    mask_options: Sequence[Option]

    @property
    def accepted(self) -> list[str]:
        numbered = enumerate(self.mask_options)
        return [f"{self.proposals.id}/{i}" for i, option in numbered if option is YES]


def judged(phrase: str, mask_options: Sequence[Option], exhaustive: Option = YES) -> Judged:
    pair = Pair(media_id=MEDIA.id, phrase=phrase)
    proposals = a_proposal_set(pair, [a_mask(left=i) for i in range(len(mask_options))])
    masks = [
        a_mask_verdict(option, mask_id=f"{proposals.id}/{i}", pair_id=pair.id)
        for i, option in enumerate(mask_options)
    ]
    found = Judged(pair=pair, proposals=proposals, verdicts=(), mask_options=mask_options)
    whole = an_exhaustivity_verdict(exhaustive, mask_ids=found.accepted, pair_id=pair.id)
    return Judged(pair, proposals, [*masks, whole], mask_options)


def fill(engine: Engine, pairs: Sequence[Judged], phrase: Option = Option.GROUNDABLE) -> None:
    """Write *pairs* as the verify worker leaves them."""
    groundable = a_groundability_verdict(phrase)
    with transaction(engine) as session:
        source = MediaSource(media_id=MEDIA.id, uri="file:///a.png", domain=DOMAIN)
        add_media(session, [MEDIA], [source])
        add_pairs(session, [each.pair for each in pairs], [])
        add_pairs(session, [Pair(media_id=MEDIA.id, phrase="asked before")], [])
        add_proposal_sets(session, [each.proposals for each in pairs])
        owner = Pair(media_id=MEDIA.id, phrase="asked before").id
        phrase_verdict = a_groundability_verdict(phrase, pair_id=owner)
        assert phrase_verdict.id == groundable.id
        said = [verdict for each in pairs for verdict in each.verdicts]
        add_verdicts(session, [*said, phrase_verdict])
        for each in pairs:
            ids = [verdict.id for verdict in each.verdicts]
            for stage, verdict_ids in ((MASKS, ids[:-1]), (EXHAUSTIVITY, [ids[-1], groundable.id])):
                through = Verification(
                    stage=stage,
                    key=KEY,
                    pair_id=each.pair.id,
                    set_id=each.proposals.id,
                    mask_ids=(),
                    verdict_ids=tuple(verdict_ids),
                )
                add_verifications(session, [through])
