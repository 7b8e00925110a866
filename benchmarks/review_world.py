"""
Pairs of the concept world that wait for people, without a proposer or a verifier.

Proposals are the true masks with faults: some good, some poor, some missing, some of the wrong
thing. Each pair is routed to people; where nothing is proposed they say whether anything is there.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from db.pairs import pairs_by_id
from db.proposals import add_proposal_sets
from db.routes import add_routes
from db.session import transaction
from demo.known import Known, known_pairs
from demo.people.crew import Knowledge, knowledge
from demo.verifier.masks import bad_mask, good_mask
from demo.world.files import FolderPlan, write_folder
from demo.world.scenes import PAPER, BoolArray
from engine.decisions import CalibratedTask
from engine.ids import content_id
from engine.masks import encode
from engine.records import Pair, Proposal, ProposalSet
from engine.routes import Reason, Route, RoutedPair, Step
from engine.verdicts import proposal_mask_id
from flows.advance import advance, demand
from flows.front_door import Request, bring_in
from flows.settings import Settings

_FIRST_SEED = 500_000
_PHRASES = 5
_BUSY = replace(PAPER, crowd_share=0.3, writing_share=0.3)
_GOOD, _POOR = 0.65, 0.15  # shares of the things; the others have no mask
_WRONG_SHARE = 0.3  # of the pairs: also a mask of another thing
_CORRECTED_SHARE = 0.15  # of the pairs with masks: a verifier has seen that something is missing


def fill(settings: Settings, engine: Engine, folder: Path, *, num_scenes: int) -> Knowledge:
    """
    Draw scenes into *folder*, let all pairs about them wait for people, and return the truth.

    Args:
        settings: Of the deployment whose database is *engine*'s.

        engine: To write to.

        folder: Is filled with images.

        num_scenes: Each makes about eight pairs.
    """
    seeds = range(_FIRST_SEED, _FIRST_SEED + num_scenes)
    plan = FolderPlan(seeds=seeds, domain=_BUSY, num_phrases=_PHRASES, with_special=True)
    write_folder(folder, plan)
    bring_in(Request(source=str(folder / "phrases.csv"), domain="drawn/busy"), settings=settings)
    known = knowledge(known_pairs(folder, plan))
    with transaction(engine) as session:
        pairs = pairs_by_id(session, sorted(known))
        sets = [_proposals(pair, known[pair.id]) for pair in pairs]
        add_proposal_sets(session, sets)
        add_routes(session, map(_routed, sets))
        wanted = demand(session)
        advance(session, sorted(known), wanted=wanted, settings=settings.queues)
    return known


def _proposals(pair: Pair, known: Known) -> ProposalSet:
    masks = list(_masks(known, random.Random(f"proposals/{pair.id}")))
    return ProposalSet(
        pair_id=pair.id,
        proposer="drawn@1",
        inference_settings="drawn",
        prompted_phrase="",
        exemplars=(),
        presence=0.9,
        proposals=tuple(
            Proposal(mask=encode(mask_HW[None])[0], query_score=1 / (2 + index))
            for index, mask_HW in enumerate(masks)
        ),
    )


def _masks(known: Known, rng: random.Random) -> Iterable[BoolArray]:
    for index in known.truth.indices:
        drawn = rng.random()
        if drawn < _GOOD:
            yield good_mask(known.scene, index, rng)
        elif drawn < _GOOD + _POOR and (poor := bad_mask(known.scene, index, rng)) is not None:
            yield poor[0]
    others = [i for i in range(len(known.scene.things)) if i not in known.truth.indices]
    if others and rng.random() < _WRONG_SHARE:
        yield known.scene.mask(rng.choice(others))


def _routed(proposals: ProposalSet) -> RoutedPair:
    ids = tuple(proposal_mask_id(proposals.id, index) for index in range(len(proposals.proposals)))
    rng = random.Random(f"route/{proposals.pair_id}")
    step = Step.HUMAN_MASK if ids else Step.HUMAN_EXHAUSTIVITY
    if ids and rng.random() < _CORRECTED_SHARE:
        step = Step.CORRECTION
    is_open = step is Step.HUMAN_MASK
    return RoutedPair(
        pair_id=proposals.pair_id,
        judge="drawn@1",
        route=Route(step=step, task=CalibratedTask.MASK, reason=Reason.UNSURE),
        mask_ids=() if is_open else ids,
        undecided_ids=ids if is_open else (),
        is_shadowed=False,
        evidence=content_id("evidence", step=step.value),
    )
