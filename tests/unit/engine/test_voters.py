"""What votes say about the people who cast them."""

import math

from engine.labels import AuditLabel, Sampling, Vote
from engine.verdicts import Option, VerdictTask
from engine.voters import alphas, kappas, shares_of_settled, voted_subjects

YES, NO, WHOLE = Option.ACCEPT, Option.REJECT, Option.WHOLE_IMAGE
MASK, PAIR = VerdictTask.MASK, VerdictTask.EXHAUSTIVITY


def a_label(
    subject: str,
    anna: Option,
    ben: Option,
    carla: Option,
    *,
    option: Option,
    task: VerdictTask = MASK,
    referee: str = "",
    sampling: Sampling = Sampling.RANDOM,
) -> AuditLabel:
    said = {"anna": anna, "ben": ben, "carla": carla}
    return AuditLabel(
        task=task,
        subject_id=subject,
        pair_id="pair_1",
        mask_ids=(),
        votes=tuple(Vote(person=person, option=each) for person, each in said.items()),
        referee=Vote(person=referee, option=option) if referee else None,
        option=option,
        sampling=sampling,
        batch="",
    )


def test_a_share_counts_votes_that_are_what_was_settled() -> None:
    labels = [
        a_label("m1", YES, YES, NO, option=YES),
        a_label("m2", YES, NO, WHOLE, option=NO, referee="dora"),
    ]
    found = shares_of_settled(voted_subjects(labels))

    assert {"anna": (1, 2), "ben": (2, 2), "carla": (0, 2)} == {
        person: (share.num_right, share.num) for person, share in found.items()
    }


def test_somebody_who_voted_twice_said_the_newer() -> None:
    labels = [
        a_label("m1", NO, NO, YES, option=NO),
        a_label("m1", YES, YES, YES, option=YES, sampling=Sampling.SHADOW),
    ]
    (subject,) = voted_subjects(labels)

    assert {"anna": YES, "ben": YES, "carla": YES} == subject.votes
    assert YES is subject.option


def test_subjects_that_somebody_chose_say_nothing() -> None:
    chosen = a_label("m1", YES, YES, YES, option=YES, sampling=Sampling.CHOSEN)

    assert [] == voted_subjects([chosen])


def test_kappa_is_of_two_people_on_one_task() -> None:
    labels = [
        a_label("m1", YES, YES, YES, option=YES),
        a_label("m2", NO, NO, YES, option=NO),
        a_label("p1", YES, NO, YES, option=YES, task=PAIR),
        a_label("p2", NO, YES, NO, option=NO, task=PAIR),
    ]
    found = {(each.task, each.people): each for each in kappas(voted_subjects(labels))}

    assert 6 == len(found)
    assert {2} == {each.num for each in found.values()}
    assert (1, 0) == tuple(found[MASK, pair].kappa for pair in (("anna", "ben"), ("ben", "carla")))
    assert -1 == found[PAIR, ("anna", "ben")].kappa


def test_alpha_is_of_all_people_on_one_task() -> None:
    labels = [
        a_label("m1", YES, YES, YES, option=YES),
        a_label("m2", NO, NO, NO, option=NO),
        a_label("p1", YES, YES, YES, option=YES, task=PAIR),
    ]
    found = alphas(voted_subjects(labels), {"pair_1": "media_1"})

    assert [MASK, PAIR] == [*found]
    assert (1, 2) == (found[MASK].value, found[MASK].num)
    assert math.isnan(found[PAIR].value)


def test_without_votes_nobody_agrees() -> None:
    assert ({}, [], {}) == (shares_of_settled([]), kappas([]), alphas([], {}))
