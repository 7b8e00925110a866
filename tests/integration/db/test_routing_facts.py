"""Labels, calibrations and routes are written once and read back as they were."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.calibrations import add_calibrations, calibrations_in_force
from db.domains import domains_of, iter_judged, judged_subjects
from db.labels import add_labels, audit_labels
from db.media import add_media, media_ids_at
from db.pairs import add_pairs, move_pairs
from db.proposals import add_proposal_sets, pairs_of_masks
from db.routes import add_routes, claim_routable, route_counts, routes_of
from db.verdicts import add_verdicts, add_verifications
from engine.calibration import Calibration
from engine.decisions import CalibratedTask
from engine.labels import AuditLabel, Vote
from engine.records import MediaSource, OriginKind, Pair, PairOrigin, PairState
from engine.routes import Reason, Route, RoutedPair, Step
from engine.stages.verify import EXHAUSTIVITY
from engine.thresholds import CalibrationReason
from engine.verdicts import Option, Verification
from tests.factories import a_media, a_proposal_set
from tests.verdicts import JUDGE, a_calibration, a_label, a_mask_verdict

pytestmark = pytest.mark.service

MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")
SET = a_proposal_set(PAIR)
MASK_ID = f"{SET.id}/0"
VERDICT = a_mask_verdict(Option.ACCEPT, mask_id=MASK_ID, pair_id=PAIR.id)
LABEL = a_label(VERDICT, Option.ACCEPT, mask_ids=[MASK_ID])
MASK_CALIBRATION = a_calibration(CalibratedTask.MASK)
ROUTE = RoutedPair(
    pair_id=PAIR.id,
    judge=JUDGE,
    route=Route(step=Step.HUMAN_MASK, task=CalibratedTask.MASK, reason=Reason.NO_CALIBRATION),
    mask_ids=(),
    undecided_ids=(),
    is_shadowed=False,
    evidence="evidence_1",
)


def fill(session: Session) -> Session:
    """One media and one pair with a mask and a verdict."""
    add_media(session, [MEDIA], [MediaSource(media_id=MEDIA.id, uri="file:///a.png", domain="art")])
    add_pairs(session, [PAIR], [])
    add_proposal_sets(session, [SET])
    add_verdicts(session, [VERDICT])
    return session


@pytest.fixture
def session(session: Session) -> Session:
    return fill(session)


@pytest.fixture
def committing(fresh_database: Callable[[], Engine]) -> Iterator[Session]:
    """A session that commits: what is newer is told by the time of the transaction."""
    with Session(fresh_database(), expire_on_commit=False) as session:
        fill(session)
        session.commit()
        yield session


# Labels


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(LABEL, id="three votes"),
        pytest.param(
            replace(LABEL, referee=Vote(person='d"ora, {x}', option=Option.ACCEPT)), id="a referee"
        ),
    ],
)
def test_a_label_comes_back_as_it_was_and_only_once(session: Session, label: AuditLabel) -> None:
    assert 1 == add_labels(session, [label, label], source="file_1")
    assert 0 == add_labels(session, [label], source="file_2")
    assert [label] == audit_labels(session)


def test_masks_are_known_by_their_pairs(session: Session) -> None:
    asked = [MASK_ID, f"{SET.id}/1", f"{SET.id}/-1", "set_x/0", "nonsense"]

    assert {MASK_ID: PAIR.id} == pairs_of_masks(session, asked)


def test_media_are_found_by_their_uris(session: Session) -> None:
    assert {"file:///a.png": MEDIA.id} == media_ids_at(session, ["file:///a.png", "s3://b/c"])


# Domains


def test_the_domain_of_a_pair_is_its_own_before_that_of_its_media(session: Session) -> None:
    other = a_media("other")
    others_pair = Pair(media_id=other.id, phrase="red circle")
    add_media(session, [other], [MediaSource(media_id=other.id, uri="file:///b.png", domain="aaa")])
    strange = PairOrigin(
        pair_id=others_pair.id, kind=OriginKind.IMPORT, source="file", domain="aaaa"
    )
    add_pairs(session, [others_pair], [strange])

    assert {PAIR.id: "art"} == domains_of(session, [PAIR.id, "pair_unknown"])
    origins = [
        PairOrigin(pair_id=PAIR.id, kind=OriginKind.IMPORT, source=domain, domain=domain)
        for domain in ("", "zoo", "food")
    ]
    add_pairs(session, [], origins)

    assert {PAIR.id: "food"} == domains_of(session, [PAIR.id])
    assert [("food", VERDICT)] == list(iter_judged(session))
    assert [("food", VERDICT)] == judged_subjects(session, [MASK_ID])


# Calibrations


def test_a_calibration_comes_back_as_it_was(session: Session) -> None:
    assert 1 == add_calibrations(session, [MASK_CALIBRATION])
    assert [MASK_CALIBRATION] == calibrations_in_force(session)


def test_the_same_calibration_again_changes_nothing(session: Session) -> None:
    add_calibrations(session, [MASK_CALIBRATION])

    assert 0 == add_calibrations(session, [MASK_CALIBRATION])


def test_the_newest_calibration_of_a_key_counts_also_if_it_was_there_before(
    committing: Session,
) -> None:
    other = replace(MASK_CALIBRATION, labels="labels_1")
    for each in (MASK_CALIBRATION, other, MASK_CALIBRATION):
        assert 1 == add_calibrations(committing, [each])
        committing.commit()

    (found,) = calibrations_in_force(committing)
    assert MASK_CALIBRATION.labels == found.labels


def test_what_shadow_review_stopped_stays_so_until_there_are_other_labels(
    committing: Session,
) -> None:
    def add(calibration: Calibration) -> int:
        added = add_calibrations(committing, [calibration])
        committing.commit()
        return added

    ended = replace(MASK_CALIBRATION.choice, reason=CalibrationReason.STOPPED, threshold=None)
    add(MASK_CALIBRATION)
    add(replace(MASK_CALIBRATION, choice=ended))

    assert 0 == add(MASK_CALIBRATION)
    assert 1 == add(replace(MASK_CALIBRATION, labels="labels_1"))


# Routes


def test_a_route_comes_back_as_it_was_and_only_once(session: Session) -> None:
    assert 1 == add_routes(session, [ROUTE])
    assert 0 == add_routes(session, [ROUTE])
    assert {PAIR.id: ROUTE} == routes_of(session, [PAIR.id, "pair_unknown"])


def test_the_newest_route_of_a_pair_counts(committing: Session) -> None:
    later = replace(ROUTE, route=replace(ROUTE.route, reason=Reason.UNSURE), evidence="evidence_2")
    for each in (ROUTE, later):
        add_routes(committing, [each])
        committing.commit()

    assert {PAIR.id: later} == routes_of(committing, [PAIR.id])
    assert {later.route: 1} == route_counts(committing)


def test_pairs_are_routed_when_their_verifier_is_through(session: Session) -> None:
    def routable(key: str = "key", after: str = "") -> list[str]:
        return claim_routable(session, key=key, after=after, limit=10)

    move_pairs(
        session,
        {PAIR.id: PairState.EXHAUSTIVITY_VERIFICATION},
        sources=[PairState.MASK_VERIFICATION],
    )
    assert [] == routable()
    through = Verification(
        stage=EXHAUSTIVITY,
        key="key",
        pair_id=PAIR.id,
        set_id=SET.id,
        mask_ids=(),
        verdict_ids=(VERDICT.id,),
    )
    add_verifications(session, [through])

    assert [PAIR.id] == routable()
    assert [] == routable(key="other")
    assert [] == routable(after=PAIR.id)
    move_pairs(session, {PAIR.id: PairState.FINISHED}, sources=list(PairState))
    assert [] == routable()
