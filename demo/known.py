"""What the world knows about pairs that came in as files: the right answer to every verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.facts import PairFacts
from demo.verifier_truth import (
    exhaustivity_truth,
    groundability_truth,
    mask_truth,
    things_found,
)
from demo.world.files import FolderPlan, asked_about, image_name
from demo.world.phrases import PhraseTruth
from demo.world.scenes import Scene, make_scene
from engine.masks import decode
from engine.records import Mask
from engine.stages.verify import proposed_masks
from engine.verdicts import Option, Verdict, VerdictTask, Verification, accepted_set_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A phrase about a scene, with its truth."""

    scene: Scene
    truth: PhraseTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The masks that verdicts are about."""

    masks: Mapping[str, Mask]  # by mask id
    sets: Mapping[str, Sequence[str]]  # mask ids of each set that was judged, by subject id


def known_pairs(root: Path, plan: FolderPlan) -> dict[tuple[str, str], Known]:
    """Return what is known of the folder that *plan* wrote at *root*, by file uri and phrase."""
    found: dict[tuple[str, str], Known] = {}
    for seed in plan.seeds:
        scene = make_scene(seed, plan.domain)
        uri = (root / image_name(seed)).resolve().as_uri()
        for truth in asked_about(scene, seed, plan):
            found[uri, truth.phrase] = Known(scene=scene, truth=truth)
    return found


def known_of(facts: PairFacts, known: Mapping[tuple[str, str], Known]) -> Known | None:
    """Return what is known of a pair, if any folder has it."""
    uris = (source.uri for source in facts.sources)
    return next((known[key] for uri in uris if (key := (uri, facts.pair.phrase)) in known), None)


def shown_of(facts: PairFacts, verifications: Sequence[Verification]) -> Shown:
    """Return the masks that a pair's verdicts can be about: proposed ones, and sets of them."""
    masks: dict[str, Mask] = {}
    for proposals in facts.proposal_sets:
        proposed = proposed_masks(facts.pair, proposals)
        masks |= dict(zip(proposed.mask_ids, proposed.masks, strict=True))
    judged = [(), *(each.mask_ids for each in verifications)]
    return Shown(masks=masks, sets={accepted_set_id(facts.pair.id, ids): ids for ids in judged})


def right_answer(verdict: Verdict, known: Known, shown: Shown) -> Option:
    """Return what a judge who knows the scene would have answered."""
    if verdict.task is VerdictTask.GROUNDABILITY:
        return groundability_truth(known.truth.kind)
    if verdict.task is VerdictTask.MASK:
        (mask_HW,) = decode([shown.masks[verdict.subject_id]])
        return mask_truth(known.truth, known.scene, mask_HW)
    ids = shown.sets[verdict.subject_id]
    masks = list(decode([shown.masks[own] for own in ids])) if ids else []
    found = things_found(known.scene, masks)
    return exhaustivity_truth(known.truth, known.scene, found)
