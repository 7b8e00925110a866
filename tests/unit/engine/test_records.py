"""What the records refuse, and what their ids tell apart."""

from dataclasses import replace

import pytest

from engine.records import Exemplar, Outcome, Pair, Prompt, Resolution, ResolvedMask
from tests.factories import a_mask, a_proposal_set

PAIR = Pair(media_id="media_0", phrase="trout")
BOX = Exemplar(box_xyxy=(0, 0, 4, 4), is_positive=True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"proposer": "sam3@1"}, id="other weights"),
        pytest.param({"inference_settings": "other"}, id="other settings"),
        pytest.param({"prompted_phrase": "fish"}, id="a coarser phrase"),
        pytest.param({"exemplars": (BOX,)}, id="an exemplar"),
    ],
)
def test_another_question_is_another_proposal_set(change: dict[str, object]) -> None:
    found = a_proposal_set(PAIR)

    assert found.id != replace(found, **change).id  # type: ignore[arg-type]


def test_the_answer_does_not_change_the_id() -> None:
    found = a_proposal_set(PAIR)

    assert found.id == replace(found, presence=0.1, proposals=()).id


def test_a_prompt_leaves_its_own_phrase_out() -> None:
    with pytest.raises(ValueError, match="own phrase"):
        Prompt(pair=PAIR, prompted_phrase="trout")


@pytest.mark.parametrize(
    ("outcome", "masks"),
    [
        pytest.param(Outcome.NEGATIVE, (ResolvedMask(mask=a_mask()),), id="negative with a mask"),
        pytest.param(Outcome.DROPPED, (ResolvedMask(mask=a_mask()),), id="dropped with a mask"),
        pytest.param(Outcome.INSTANCE_EXHAUSTIVE, (), id="exhaustive without a mask"),
        pytest.param(
            Outcome.INSTANCE_EXHAUSTIVE,
            (ResolvedMask(mask=a_mask(), is_group=True),),
            id="instances in a group",
        ),
    ],
)
def test_a_resolution_does_not_contradict_itself(
    outcome: Outcome, masks: tuple[ResolvedMask, ...]
) -> None:
    with pytest.raises(ValueError, match=PAIR.id):
        Resolution(pair_id=PAIR.id, maker="somebody", outcome=outcome, masks=masks)
