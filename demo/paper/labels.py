"""
What each way to annotate leaves of a pair, and what it takes people.

  pseudo     the proposer's masks as they are, above a confidence of 0.5
  synthetic  what verifiers accept, without people: a pair that they do not accept whole is left out
  engine     verifiers decide where labels allow it, people do the rest
  people     people do everything, from the proposals on
  truth      what the world knows, for general data and for measuring

Source of the first three: PL, SYN and HQ of the SAM 3 paper, A.3.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from demo.paper.play import Judged
from demo.paper.scenes import Asked
from demo.people.alone import play_alone
from demo.people.crew import ACCURACY
from engine.masks import encode
from engine.policy import Policy, route_pair
from engine.queues import Asked as What
from engine.records import MADE_BY_SAM3, Outcome, Pair, Resolution, ResolvedMask
from engine.routes import RoutedPair
from engine.training_set import TrainingImage, TrainingPair
from engine.verdicts import Option, VerdictTask, masks_by_id

_LEAST_CONFIDENCE = 0.5  # what evaluation counts
_SECOND_REVIEW_SHARE = 0.1  # the product's default


class Way(StrEnum):
    """How pairs are annotated."""

    PSEUDO = "pseudo"
    SYNTHETIC = "synthetic"
    ENGINE = "engine"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What a way to annotate has left of a pair."""

    asked: Asked
    resolution: Resolution | None  # None: the pair is left out
    seconds: float = 0.0  # of people


def annotate(
    judged: Sequence[Judged], way: Way, *, policy: Policy | None = None, domain: str = ""
) -> list[Annotated]:
    """
    Return what *way* leaves of each pair.

    Args:
        judged: The pairs with proposals and verdicts.

        way: How.

        policy: What the verifier may decide alone; only the engine needs it.

        domain: Of the policy's calibrations.
    """
    if way is Way.PSEUDO:
        return [_alone(each, _pseudo(each)) for each in judged]
    if way is Way.SYNTHETIC:
        return [_alone(each, _synthetic(each)) for each in judged]
    if way is Way.PEOPLE:
        return [by_people(each, None) for each in judged]
    assert policy is not None, "the engine needs to know what verifiers may decide"
    return [_by_engine(each, policy, domain) for each in judged]


def training_images(annotated: Iterable[Annotated]) -> list[TrainingImage]:
    """Return what can be trained on: pairs that were finished, by image."""
    pairs: defaultdict[str, list[TrainingPair]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    for each in annotated:
        found, pair = each.resolution, each.asked.pair
        if found is not None and found.outcome is not Outcome.DROPPED:
            sizes[pair.media_id] = each.asked.known.scene.numbers_HW.shape
            pairs[pair.media_id].append(
                TrainingPair(
                    pair_id=pair.id, phrase=pair.phrase, outcome=found.outcome, masks=found.masks
                )
            )
    return [
        TrainingImage(
            media_id=media_id, width=sizes[media_id][1], height=sizes[media_id][0], pairs=tuple(own)
        )
        for media_id, own in pairs.items()
    ]


def true_resolution(asked: Asked, *, maker: str = "world") -> Resolution:
    """Return what the world knows of a pair."""
    known = asked.known
    masks = tuple(
        ResolvedMask(
            mask=encode(known.scene.mask(index)[None])[0],
            is_group=known.scene.things[index].is_group,
        )
        for index in known.truth.indices
    )
    outcome = Outcome.PIXEL_EXHAUSTIVE if known.truth.has_group else Outcome.INSTANCE_EXHAUSTIVE
    return Resolution(
        pair_id=asked.pair.id,
        maker=maker,
        outcome=outcome if masks else Outcome.NEGATIVE,
        masks=masks,
    )


def truth_of_all(asked: Iterable[Asked]) -> list[Annotated]:
    """Return pairs as the world knows them."""
    return [Annotated(asked=each, resolution=true_resolution(each)) for each in asked]


def _alone(judged: Judged, resolution: Resolution | None) -> Annotated:
    return Annotated(asked=judged.asked, resolution=resolution)


def _pseudo(judged: Judged) -> Resolution:
    found = judged.proposals
    kept = [each.mask for each in found.proposals if found.confidence(each) >= _LEAST_CONFIDENCE]
    return _resolved(judged.asked.pair, found.proposer, [ResolvedMask(mask=m) for m in kept])


def _synthetic(judged: Judged) -> Resolution | None:
    """Accepted by MV, and EV says that nothing is missing; a negative must be groundable too."""
    verdict = judged.exhaustivity(judged.accepted)
    if verdict.option is not Option.ACCEPT:
        return None
    grounded = [e for e in judged.verdicts.values() if e.task is VerdictTask.GROUNDABILITY]
    if not judged.accepted and any(e.option is not Option.GROUNDABLE for e in grounded):
        return None
    masks = masks_by_id(judged.proposals)
    kept = [ResolvedMask(mask=masks[own], source=MADE_BY_SAM3) for own in judged.accepted]
    return _resolved(judged.asked.pair, verdict.judge, kept)


def _by_engine(judged: Judged, policy: Policy, domain: str) -> Annotated:
    found = route_pair(judged.for_policy(domain), policy)
    judge = next(iter(judged.verdicts.values())).judge
    if found.outcome is None:
        fact = RoutedPair(
            pair_id=judged.asked.pair.id,
            judge=judge,
            route=found.route,
            mask_ids=found.accepted,
            undecided_ids=found.undecided,
            is_shadowed=False,
            evidence="",
        )
        return by_people(judged, fact)
    if found.outcome is Outcome.DROPPED:
        reason = found.route.reason.value
        pair_id = judged.asked.pair.id
        dropped = Resolution(pair_id=pair_id, maker=judge, outcome=found.outcome, reason=reason)
        return _alone(judged, dropped)
    masks = masks_by_id(judged.proposals)
    kept = [ResolvedMask(mask=masks[own], source=MADE_BY_SAM3) for own in found.accepted]
    return _alone(judged, _resolved(judged.asked.pair, judge, kept))


def by_people(
    judged: Judged, route: RoutedPair | None, *, accuracy: Mapping[What, float] = ACCURACY
) -> Annotated:
    """
    Return what people do with a pair.

    Args:
        judged: The pair.

        route: What verifiers have left open. None: everything.

        accuracy: How often people are right.
    """
    played = play_alone(
        judged.asked.pair,
        masks_by_id(judged.proposals),
        judged.asked.known,
        second_review_share=_SECOND_REVIEW_SHARE,
        route=route,
        accuracy=accuracy,
    )
    return Annotated(asked=judged.asked, resolution=played.resolution, seconds=played.seconds)


def _resolved(pair: Pair, maker: str, masks: Sequence[ResolvedMask]) -> Resolution:
    outcome = Outcome.INSTANCE_EXHAUSTIVE if masks else Outcome.NEGATIVE
    return Resolution(pair_id=pair.id, maker=maker, outcome=outcome, masks=tuple(masks))
