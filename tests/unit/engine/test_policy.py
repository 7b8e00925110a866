"""Where pairs go: a row for each way, and each way counted with its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from engine.calibration import Calibration
from engine.decisions import CalibratedTask, Decision
from engine.policy import PairVerdicts, Policy, is_shadowed, route_pair
from engine.records import Outcome
from engine.routes import Reason, Step
from engine.thresholds import CalibrationReason
from engine.verdicts import Option, Verdict
from tests.verdicts import (
    DOMAIN,
    a_calibration,
    a_groundability_verdict,
    a_mask_verdict,
    an_exhaustivity_verdict,
)

FIRST, SECOND = "set_a/0", "set_a/1"

CALIBRATIONS = (
    a_calibration(CalibratedTask.MASK),
    a_calibration(CalibratedTask.MASK, Decision.REJECT),
    a_calibration(CalibratedTask.MASK, Decision.DROP),
    a_calibration(CalibratedTask.EXHAUSTIVITY),
    a_calibration(CalibratedTask.EXHAUSTIVITY, Decision.DROP),
    a_calibration(CalibratedTask.ABSENCE),
    a_calibration(CalibratedTask.ABSENCE, Decision.DROP),
    a_calibration(CalibratedTask.GROUNDABILITY),
    a_calibration(CalibratedTask.GROUNDABILITY, Decision.DROP),
)


def masks(first: Option, second: Option | None = None, sure: float = 0.9) -> dict[str, Verdict]:
    """Verdicts on one mask or two; the second is always sure."""
    found = {FIRST: a_mask_verdict(first, sure, mask_id=FIRST)}
    if second is not None:
        found[SECOND] = a_mask_verdict(second, 0.95, mask_id=SECOND)
    return found


def a_pair(
    masks: Mapping[str, Verdict | None],
    *exhaustivity: Verdict,
    groundability: Verdict | None = None,
    domain: str = DOMAIN,
) -> PairVerdicts:
    return PairVerdicts(
        pair_id="pair_a",
        domain=domain,
        masks=masks,
        exhaustivity=exhaustivity,
        groundability=groundability,
    )


def over_first(option: Option, sure: float = 0.9) -> Verdict:
    return an_exhaustivity_verdict(option, sure, mask_ids=[FIRST])


def over_none(option: Option, sure: float = 0.9) -> Verdict:
    return an_exhaustivity_verdict(option, sure)


YES, NO = Option.ACCEPT, Option.REJECT
MASK, EXHAUSTIVITY = CalibratedTask.MASK, CalibratedTask.EXHAUSTIVITY
ABSENCE, GROUNDABILITY = CalibratedTask.ABSENCE, CalibratedTask.GROUNDABILITY
GROUNDABLE = a_groundability_verdict(Option.GROUNDABLE)

ROWS = [
    # Finished without a person
    pytest.param(
        a_pair(masks(YES), over_first(YES)),
        (Step.AUTO_ACCEPT, EXHAUSTIVITY, Reason.POSITIVE, Outcome.INSTANCE_EXHAUSTIVE),
        id="an accepted mask that is all there is",
    ),
    pytest.param(
        a_pair(masks(Option.ACCEPT_AS_TEXT), over_first(YES)),
        (Step.AUTO_ACCEPT, EXHAUSTIVITY, Reason.POSITIVE, Outcome.INSTANCE_EXHAUSTIVE),
        id="writing counts as accepted",
    ),
    pytest.param(
        a_pair(masks(YES, NO), over_first(YES)),
        (Step.AUTO_ACCEPT, EXHAUSTIVITY, Reason.POSITIVE, Outcome.INSTANCE_EXHAUSTIVE),
        id="a rejected mask is left out",
    ),
    pytest.param(
        a_pair(masks(NO), over_none(YES), groundability=GROUNDABLE),
        (Step.AUTO_ACCEPT, GROUNDABILITY, Reason.NEGATIVE, Outcome.NEGATIVE),
        id="no mask is left and nothing is there",
    ),
    pytest.param(
        a_pair({}, over_none(YES), groundability=GROUNDABLE),
        (Step.AUTO_ACCEPT, GROUNDABILITY, Reason.NEGATIVE, Outcome.NEGATIVE),
        id="nothing was proposed and nothing is there",
    ),
    # The threshold
    pytest.param(
        a_pair(masks(YES, sure=0.8), over_first(YES, 0.8)),
        (Step.AUTO_ACCEPT, EXHAUSTIVITY, Reason.POSITIVE, Outcome.INSTANCE_EXHAUSTIVE),
        id="the threshold is enough",
    ),
    pytest.param(
        a_pair(masks(YES), over_first(YES, 0.799)),
        (Step.HUMAN_EXHAUSTIVITY, EXHAUSTIVITY, Reason.UNSURE, None),
        id="exhaustivity just below",
    ),
    pytest.param(
        a_pair(masks(NO, sure=0.799), over_none(YES)),
        (Step.HUMAN_MASK, MASK, Reason.UNSURE, None),
        id="a rejection just below",
    ),
    # Correction
    pytest.param(
        a_pair(masks(YES), over_first(NO, 0.5)),
        (Step.CORRECTION, EXHAUSTIVITY, Reason.NOT_EXHAUSTIVE, None),
        id="something is missing, however sure",
    ),
    pytest.param(
        a_pair({}, over_none(Option.REJECT_UNSEPARATED)),
        (Step.CORRECTION, ABSENCE, Reason.NOT_SEPARABLE, None),
        id="a crowd is missing",
    ),
    # Dropped
    pytest.param(
        a_pair(masks(YES, Option.FLAG_LABEL)),
        (Step.DROP, MASK, Reason.FLAG_LABEL, Outcome.DROPPED),
        id="a flagged label drops the pair",
    ),
    pytest.param(
        a_pair(masks(YES), over_first(Option.WHOLE_IMAGE)),
        (Step.DROP, EXHAUSTIVITY, Reason.WHOLE_IMAGE, Outcome.DROPPED),
        id="about the whole image",
    ),
    pytest.param(
        a_pair({}, over_none(Option.UNGROUNDABLE)),
        (Step.DROP, ABSENCE, Reason.UNGROUNDABLE, Outcome.DROPPED),
        id="exhaustivity calls it vague",
    ),
    pytest.param(
        a_pair({}, over_none(YES), groundability=a_groundability_verdict(Option.UNGROUNDABLE)),
        (Step.DROP, GROUNDABILITY, Reason.UNGROUNDABLE, Outcome.DROPPED),
        id="absent but never to be found: no negative",
    ),
    # People
    pytest.param(
        a_pair(masks(YES), over_first(Option.WHOLE_IMAGE, 0.6)),
        (Step.HUMAN_EXHAUSTIVITY, EXHAUSTIVITY, Reason.UNSURE, None),
        id="not sure enough to drop",
    ),
    pytest.param(
        a_pair({}, over_none(YES), groundability=a_groundability_verdict(Option.GROUNDABLE, 0.7)),
        (Step.HUMAN_EXHAUSTIVITY, GROUNDABILITY, Reason.UNSURE, None),
        id="absent, perhaps groundable",
    ),
    pytest.param(
        a_pair({}, over_none(YES)),
        (Step.HUMAN_EXHAUSTIVITY, GROUNDABILITY, Reason.NO_VERDICT, None),
        id="groundability was not asked",
    ),
    pytest.param(
        a_pair({FIRST: None}),
        (Step.HUMAN_MASK, MASK, Reason.NO_VERDICT, None),
        id="a missing verdict is no rejection",
    ),
    pytest.param(
        a_pair(masks(YES), over_none(YES), groundability=GROUNDABLE),
        (Step.HUMAN_EXHAUSTIVITY, EXHAUSTIVITY, Reason.NO_VERDICT, None),
        id="exhaustivity was asked about other masks",
    ),
    pytest.param(
        a_pair(masks(YES), over_first(YES), domain="sports"),
        (Step.HUMAN_MASK, MASK, Reason.NO_CALIBRATION, None),
        id="another domain has thresholds of its own",
    ),
]


def routed(pair: PairVerdicts, *calibrations: Calibration) -> tuple[object, ...]:
    found = route_pair(pair, Policy.of(calibrations))
    return (found.route.step, found.route.task, found.route.reason, found.outcome)


@pytest.mark.parametrize(("pair", "expected"), ROWS)
def test_where_a_pair_goes(pair: PairVerdicts, expected: tuple[object, ...]) -> None:
    assert expected == routed(pair, *CALIBRATIONS)


@pytest.mark.parametrize("pair", [row.values[0] for row in ROWS])
def test_without_a_calibration_everything_goes_to_people(pair: PairVerdicts) -> None:
    step, _, reason, outcome = routed(pair)

    assert step in {Step.HUMAN_MASK, Step.HUMAN_EXHAUSTIVITY}
    assert reason in {Reason.NO_CALIBRATION, Reason.NO_VERDICT}
    assert outcome is None


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        (CalibrationReason.TOO_FEW_LABELS, Reason.NO_THRESHOLD),
        (CalibrationReason.TOO_MANY_ERRORS, Reason.NO_THRESHOLD),
        (CalibrationReason.STOPPED, Reason.STOPPED),
        (CalibrationReason.WORSE_THAN_PEOPLE, Reason.WORSE_THAN_PEOPLE),
    ],
)
@pytest.mark.parametrize("task", [MASK, EXHAUSTIVITY])
def test_a_calibration_without_a_threshold_decides_nothing(
    task: CalibratedTask, why: CalibrationReason, expected: Reason
) -> None:
    ended = a_calibration(task, threshold=None, reason=why)

    _, decided, reason, outcome = routed(a_pair(masks(YES), over_first(YES)), *CALIBRATIONS, ended)

    assert (task, expected, None) == (decided, reason, outcome)


def test_the_masks_say_what_became_of_each() -> None:
    found = route_pair(a_pair(masks(YES, NO), over_first(YES)), Policy.of(CALIBRATIONS))

    assert {FIRST: Step.AUTO_ACCEPT, SECOND: Step.AUTO_REJECT} == {
        own: each.step for own, each in found.masks.items()
    }
    assert (FIRST,) == found.accepted


def test_a_judge_that_is_asked_in_another_way_has_no_threshold() -> None:
    """A calibration belongs to the prompt, the rendering and the orders that it was made with."""
    asked_anew = {FIRST: replace(masks(YES)[FIRST], render="2/96")}

    assert Reason.NO_CALIBRATION is routed(a_pair(asked_anew, over_first(YES)), *CALIBRATIONS)[2]


def test_every_step_and_every_reason_can_be_reached() -> None:
    routes = [route_pair(row.values[0], Policy.of(CALIBRATIONS)) for row in ROWS]
    seen = [each for found in routes for each in (found.route, *found.masks.values())]
    # The tests of calibrations without a threshold are above.
    elsewhere = {Reason.NO_THRESHOLD, Reason.STOPPED, Reason.WORSE_THAN_PEOPLE}

    assert set(Step) == {each.step for each in seen}
    assert set(Reason) - elsewhere == {each.reason for each in seen}


def test_shadow_review_draws_its_share_and_always_the_same() -> None:
    pair_ids = [f"pair_{number}" for number in range(20_000)]
    drawn = Counter(is_shadowed(each, share=0.1, seed=0) for each in pair_ids)
    again = Counter(is_shadowed(each, share=0.1, seed=0) for each in pair_ids)

    assert drawn == again
    assert 0.1 == pytest.approx(drawn[True] / 20_000, abs=0.01)
    assert not any(is_shadowed(each, share=0.0, seed=0) for each in pair_ids)
    assert all(is_shadowed(each, share=1.0, seed=0) for each in pair_ids)


def test_another_seed_draws_other_pairs() -> None:
    pair_ids = [f"pair_{number}" for number in range(2000)]
    first, second = (
        {each for each in pair_ids if is_shadowed(each, share=0.5, seed=seed)} for seed in (0, 1)
    )

    assert 700 > len(first & second) > 300
