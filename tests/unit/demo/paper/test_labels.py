"""What each way to annotate leaves of a pair."""

from dataclasses import replace

import pytest

from demo.paper.labels import Annotated, Way, annotate, training_images, true_resolution
from demo.paper.play import Judged
from demo.paper.scenes import BASE_WORDS, Asked, SceneReader, SceneSet
from demo.paper.scores import ranking, score, sure, with_presence, with_verifiers
from demo.world.scenes import HEAPS, NIGHT, PAPER
from engine.errors import UnreadableMediaError
from engine.images import decode_rgb
from engine.records import Outcome, Proposal, ProposalSet
from engine.verdicts import (
    OPTIONS,
    Option,
    Verdict,
    VerdictTask,
    accepted_set_id,
    masks_by_id,
    subject_id,
)

SCENES = SceneSet(number=0, seed=0, num_scenes=30, sampling=BASE_WORDS)


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    return SCENES.asked()


@pytest.fixture(scope="module")
def positive(asked: list[Asked]) -> Asked:
    return next(each for each in asked if len(each.known.truth.indices) > 1)


@pytest.fixture(scope="module")
def negative(asked: list[Asked]) -> Asked:
    return next(each for each in asked if not each.known.truth.indices)


def proposals(asked: Asked, *, score: float = 0.9, presence: float = 0.9) -> ProposalSet:
    """The right masks, as a proposer would offer them."""
    masks = [each.mask for each in true_resolution(asked).masks]
    offered = tuple(Proposal(mask=mask, query_score=score) for mask in masks)
    return replace(sure(asked, []), presence=presence, proposals=offered)


def verdict(task: VerdictTask, subject: str, option: Option, *, chance: float = 0.9) -> Verdict:
    rest = (1 - chance) / (len(OPTIONS[task]) - 1)
    return Verdict(
        task=task,
        subject_id=subject,
        pair_id="",
        judge="judge",
        prompt="",
        render="",
        order_seed=0,
        num_orders=1,
        probabilities=tuple(chance if each is option else rest for each in OPTIONS[task]),
        seconds=0.0,
    )


def judged(
    asked: Asked, found: ProposalSet, *, exhaustive: Option, groundable: bool = True
) -> Judged:
    """All masks accepted, and EV says *exhaustive* about them."""
    pair = asked.pair
    ids = tuple(masks_by_id(found))
    phrase = subject_id(VerdictTask.GROUNDABILITY, pair_id=pair.id, phrase=pair.phrase, mask_ids=[])
    said = [
        *(verdict(VerdictTask.MASK, own, Option.ACCEPT) for own in ids),
        verdict(VerdictTask.EXHAUSTIVITY, accepted_set_id(pair.id, ()), Option.REJECT),
        verdict(VerdictTask.EXHAUSTIVITY, accepted_set_id(pair.id, ids), exhaustive),
        verdict(
            VerdictTask.GROUNDABILITY,
            phrase,
            Option.GROUNDABLE if groundable else Option.UNGROUNDABLE,
        ),
    ]
    verdicts = {each.subject_id: each for each in said}
    return Judged(asked=asked, proposals=found, verdicts=verdicts, accepted=ids)


def only(found: list[Annotated]) -> Annotated:
    (one,) = found
    return one


def test_pseudo_labels_are_the_confident_proposals(positive: Asked) -> None:
    sure_ones = judged(positive, proposals(positive), exhaustive=Option.REJECT)
    found = only(annotate([sure_ones], Way.PSEUDO)).resolution
    assert found is not None
    assert found.outcome is Outcome.INSTANCE_EXHAUSTIVE
    assert len(found.masks) == len(positive.known.truth.indices)
    doubted = judged(positive, proposals(positive, presence=0.5), exhaustive=Option.ACCEPT)
    found = only(annotate([doubted], Way.PSEUDO)).resolution
    assert found is not None
    assert found.outcome is Outcome.NEGATIVE


def test_synthetic_pairs_are_those_that_verifiers_accept_whole(positive: Asked) -> None:
    whole = judged(positive, proposals(positive), exhaustive=Option.ACCEPT)
    found = only(annotate([whole], Way.SYNTHETIC)).resolution
    assert found is not None
    assert found.outcome is Outcome.INSTANCE_EXHAUSTIVE
    lacking = judged(positive, proposals(positive), exhaustive=Option.REJECT)
    assert only(annotate([lacking], Way.SYNTHETIC)).resolution is None


def test_a_synthetic_negative_needs_a_phrase_that_can_be_pointed_at(negative: Asked) -> None:
    nothing = proposals(negative)
    found = only(
        annotate([judged(negative, nothing, exhaustive=Option.ACCEPT)], Way.SYNTHETIC)
    ).resolution
    assert found is not None
    assert found.outcome is Outcome.NEGATIVE
    vague = judged(negative, nothing, exhaustive=Option.ACCEPT, groundable=False)
    assert only(annotate([vague], Way.SYNTHETIC)).resolution is None


def test_people_alone_take_time_and_leave_a_finished_pair(positive: Asked) -> None:
    each = judged(positive, proposals(positive), exhaustive=Option.REJECT)
    found = only(annotate([each], Way.PEOPLE))
    assert found.seconds > 0
    assert found.resolution is not None


def test_training_images_hold_what_was_finished_and_nothing_else(
    positive: Asked, negative: Asked
) -> None:
    found = [
        Annotated(asked=positive, resolution=true_resolution(positive)),
        Annotated(asked=negative, resolution=None),
    ]
    (image,) = training_images(found)
    (pair,) = image.pairs
    assert (image.media_id, pair.phrase) == (positive.pair.media_id, positive.pair.phrase)
    assert (image.width, image.height) == (96, 96)
    assert len(pair.masks) == len(positive.known.truth.indices)


def test_the_truth_scores_best_and_nothing_scores_nothing(asked: list[Asked]) -> None:
    known = [each for each in asked if not each.known.truth.has_group]
    right = score(known, [sure(e, [m.mask for m in true_resolution(e).masks]) for e in known])
    assert (right.cgf1, right.il_mcc, right.pmf1) == pytest.approx((1, 1, 1), abs=1e-3)
    assert score(known, [sure(each, []) for each in known]).cgf1 == pytest.approx(0)


def test_ranking_asks_for_no_threshold(positive: Asked, negative: Asked) -> None:
    def ranked(one: float, other: float) -> float:
        offered = [proposals(each, score=1.0) for each in (positive, positive)]
        sets = [replace(offered[0], presence=one), replace(offered[1], presence=other)]
        return ranking([positive, negative], sets)

    assert [1.0, 0.5, 0.0] == [ranked(0.02, 0.01), ranked(0.3, 0.3), ranked(0.01, 0.02)]
    assert ranking([positive, negative], [proposals(positive), sure(negative, [])]) == 1.0


def test_presence_of_the_verifier_takes_the_place_of_the_proposers(positive: Asked) -> None:
    each = judged(positive, proposals(positive, presence=0.2), exhaustive=Option.ACCEPT)
    zero_box = each.exhaustivity(())
    assert with_presence(each).presence == pytest.approx(1 - zero_box.probability(Option.ACCEPT))
    assert len(with_verifiers(each).proposals) == len(each.proposals.proposals)
    first = next(iter(masks_by_id(each.proposals)))
    rejecting = verdict(VerdictTask.MASK, first, Option.REJECT, chance=0.95)
    doubted = replace(each, verdicts={**each.verdicts, first: rejecting})
    assert len(with_verifiers(doubted).proposals) == len(each.proposals.proposals) - 1


def test_scenes_are_read_by_their_ids_and_others_refused(positive: Asked) -> None:
    reader = SceneReader(PAPER)
    pixels = decode_rgb(reader.read(positive.pair.media_id), name="scene")
    assert (pixels == positive.known.scene.image_HW3).all()
    with pytest.raises(UnreadableMediaError, match="night/1"):
        reader.read(f"{NIGHT.name}/1")


def test_two_domains_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="paper"):
        SceneReader(PAPER, HEAPS)


def test_sets_with_other_numbers_or_seeds_share_no_scene() -> None:
    sets = [
        replace(SCENES, number=n, seed=s, num_scenes=600) for n in (0, 8, 33) for s in (0, 1, 2)
    ]
    scenes = [number for each in sets for number in each.scenes]
    assert len(scenes) == len(set(scenes)) == 9 * 600
