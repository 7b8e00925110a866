"""What a contact sheet takes for the truth."""

import pytest

from db.facts import PairFacts
from engine.records import Outcome, Pair, PairState, Resolution, ResolvedMask
from engine.verdicts import Verdict, VerdictTask
from flows.sheets import truth_of
from tests.factories import a_mask, a_media

MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")
MASKS = (ResolvedMask(mask=a_mask()),)
VERDICT = Verdict(
    task=VerdictTask.GROUNDABILITY,
    subject_id="phrase",
    pair_id=PAIR.id,
    judge="llava@0",
    prompt="prompt_0",
    render="",
    order_seed=0,
    num_orders=1,
    probabilities=(1.0, 0.0),
    seconds=0.0,
)


def decided(maker: str, outcome: Outcome) -> Resolution:
    masks = MASKS if outcome is Outcome.INSTANCE_EXHAUSTIVE else ()
    return Resolution(pair_id=PAIR.id, maker=maker, outcome=outcome, masks=masks)


@pytest.mark.parametrize(
    ("resolutions", "truth"),
    [
        pytest.param([], None, id="nobody decided"),
        pytest.param([decided("llava@0", Outcome.NEGATIVE)], None, id="a verifier did"),
        pytest.param([decided("anna", Outcome.DROPPED)], None, id="dropped is not absent"),
        pytest.param([decided("anna", Outcome.NEGATIVE)], (), id="a person: absent"),
        pytest.param(
            [
                decided("import:a", Outcome.INSTANCE_EXHAUSTIVE),
                decided("llava@0", Outcome.NEGATIVE),
            ],
            MASKS,
            id="an import, whatever the verifier says",
        ),
    ],
)
def test_truth_is_what_people_and_imports_say(
    resolutions: list[Resolution], truth: tuple[ResolvedMask, ...] | None
) -> None:
    facts = PairFacts(
        pair=PAIR,
        state=PairState.FINISHED,
        media=MEDIA,
        sources=(),
        origins=(),
        proposal_sets=(),
        resolutions=tuple(resolutions),
        verdicts=(VERDICT,),
    )
    assert truth_of(facts) == truth
