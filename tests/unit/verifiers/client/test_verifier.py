"""The client against real HTTP: what it sends, and what it yields."""

import base64
import json
import math
from io import BytesIO

import pytest
from PIL import Image

from engine.asking import STAGE
from engine.ports import Verifier
from engine.records import Failure, Mask
from engine.verdicts import OPTIONS, Option, Verdict, VerdictTask
from tests.chat_server import MODEL, Reply, Request, a_reply
from tests.judging import ACCEPT_A, a_question, a_verifier, always, judge, some_questions
from verifiers.prompts import LETTERS, prompt_hash


def test_it_is_a_verifier() -> None:
    verifier: Verifier = a_verifier()

    assert MODEL == verifier.name


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        pytest.param({"max_in_flight": 3, "timeout_seconds": 9}, True, id="how it is asked"),
        pytest.param({"num_orders": 2}, False, id="more orders"),
        pytest.param({"order_seed": 1}, False, id="other orders"),
        pytest.param({"panel_side": 560}, False, id="another picture"),
    ],
)
def test_the_settings_hash_knows_what_changes_answers(
    changes: dict[str, object], is_same: bool
) -> None:
    first, second = a_verifier().settings_hash, a_verifier(**changes).settings_hash

    assert is_same == (first == second)


def test_every_question_is_answered_once() -> None:
    answers = judge(always(ACCEPT_A), some_questions(50), max_in_flight=8)

    assert {f"set/{number}" for number in range(50)} == {answer.subject_id for answer in answers}
    assert 50 == len(answers)


def test_a_verdict_says_what_it_depended_on() -> None:
    (verdict,) = judge(always(ACCEPT_A), [a_question()])

    assert isinstance(verdict, Verdict)
    assert (MODEL, prompt_hash(VerdictTask.MASK), "1/96", 1) == (
        verdict.judge,
        verdict.prompt,
        verdict.render,
        verdict.num_orders,
    )
    assert 0 < verdict.seconds < 5


@pytest.mark.parametrize("task", VerdictTask)
def test_the_id_of_a_verdict_is_known_before(task: VerdictTask) -> None:
    shown = a_question(task=task)
    changes = {"num_orders": 2, "order_seed": 7, "panel_side": 64}
    (verdict,) = judge(always(ACCEPT_A), [shown], **changes)

    assert isinstance(verdict, Verdict)
    assert verdict.id == a_verifier(**changes).verdict_id(shown.question)


@pytest.mark.parametrize("task", VerdictTask)
def test_the_most_probable_letter_is_the_option_it_stood_for(task: VerdictTask) -> None:
    """The server answers with the letter of one option, wherever it stands."""
    wanted = OPTIONS[task][1]

    async def answer(request: Request) -> Reply:
        letter = _letter_of(wanted, request)
        return a_reply({letter: math.log(0.9), "H": math.log(0.1)})

    (verdict,) = judge(answer, [a_question(task=task)])

    assert isinstance(verdict, Verdict)
    assert (wanted, 1.0) == (verdict.option, verdict.probability(wanted))


def _user_text(request: Request) -> str:
    text = json.loads(request.body)["messages"][1]["content"][-1]["text"]
    assert isinstance(text, str)
    return text


def _letter_of(option: Option, request: Request) -> str:
    lines = _user_text(request).splitlines()
    return next(letter for letter in LETTERS if f"({letter}) {option}" in lines)


def test_orders_are_averaged() -> None:
    """A server that always says A spreads over whatever options had that letter."""
    (verdict,) = judge(always(a_reply({"A": 0.0})), [a_question()], num_orders=5)

    assert isinstance(verdict, Verdict)
    fifths = {round(5 * probability, 6) for probability in verdict.probabilities}
    assert fifths <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert 5 == verdict.num_orders


def test_all_orders_share_guidance_and_picture() -> None:
    seen: list[list[object]] = []

    async def answer(request: Request) -> Reply:
        messages = json.loads(request.body)["messages"]
        seen.append([messages[0], messages[1]["content"][0]])
        return ACCEPT_A

    judge(answer, [a_question()], num_orders=3)

    assert [seen[0]] * 3 == seen


def test_the_picture_is_a_jpeg_of_two_panels() -> None:
    seen: list[str] = []

    async def answer(request: Request) -> Reply:
        content = json.loads(request.body)["messages"][1]["content"]
        seen.append(content[0]["image_url"]["url"])
        return ACCEPT_A

    judge(answer, [a_question()])
    head, _, encoded = seen[0].partition(",")
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        assert ("data:image/jpeg;base64", "JPEG", (192, 96)) == (head, picture.format, picture.size)


def test_no_key_of_the_environment_leaves_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen: list[Request] = []

    async def answer(request: Request) -> Reply:
        seen.append(request)
        return ACCEPT_A

    judge(answer, [a_question()])

    assert ["Bearer none"] == [request.headers["authorization"] for request in seen]


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(
            Mask(height=6, width=8, counts="`1", area_pixels=0, box_xywh=(0, 0, 0, 0)), id="no area"
        ),
        pytest.param(
            Mask(height=6, width=8, counts="garbage###", area_pixels=4, box_xywh=(1, 1, 2, 2)),
            id="no run lengths",
        ),
    ],
)
def test_a_mask_that_cannot_be_drawn_is_a_failure_of_its_own(mask: Mask) -> None:
    answers = judge(always(ACCEPT_A), [a_question(), a_question("bad", mask=mask)])
    by_subject = {answer.subject_id: answer for answer in answers}

    assert isinstance(by_subject["set/0"], Verdict)
    failure = by_subject["set/bad"]
    assert isinstance(failure, Failure)
    assert (STAGE, "invalid_mask") == (failure.stage, failure.reason)
