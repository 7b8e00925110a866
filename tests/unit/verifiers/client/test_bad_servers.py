"""Servers that answer badly, late or not at all: never a rejection."""

import asyncio
import json

import pytest

from engine.asking import STAGE
from engine.errors import ConfigError, ServiceUnavailableError
from engine.records import Failure
from engine.verdicts import Verdict
from tests.chat_server import MODEL, Reply, Request, a_reply, a_vllm, serving
from tests.judging import (
    ACCEPT_A,
    a_question,
    a_verifier,
    always,
    judge,
    judged,
    some_questions,
)

HTML = Reply(body=b"<html>hello</html>", headers={"Content-Type": "text/html"})
CUT = Reply(body=ACCEPT_A.body, sent_bytes=40)
BUSY = Reply(status=503, body=b'{"error": {"message": "full"}}')
BROKEN = Reply(status=500, body=b'{"error": {"message": "out of memory"}}')


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        pytest.param(HTML, "not_json", id="HTML instead of JSON"),
        pytest.param(Reply(body=ACCEPT_A.body[:-9]), "not_json", id="half an answer"),
        pytest.param(CUT, "broken_off", id="a connection that breaks off"),
        pytest.param(a_reply({"The": -0.1}), "not_an_option", id="no option"),
        pytest.param(a_reply({"(": -0.1}), "not_an_option", id="a letter split over tokens"),
        pytest.param(Reply(body=b'{"choices": []}'), "incomplete_reply", id="no choice"),
        pytest.param(BROKEN, "server_error", id="an error of the server"),
    ],
)
def test_what_is_no_answer_is_asked_again_and_then_a_failure(first: Reply, reason: str) -> None:
    (answered,) = judge(always(first, first, ACCEPT_A), [a_question()])
    (failed,) = judge(always(first), [a_question()])

    assert isinstance(answered, Verdict)
    assert isinstance(failed, Failure)
    assert (STAGE, "set/0", reason) == (failed.stage, failed.subject_id, failed.reason)
    assert "cup 0" in failed.detail


def test_one_bad_question_leaves_the_others_alone() -> None:
    async def answer(request: Request) -> Reply:
        text = json.loads(request.body)["messages"][1]["content"][-1]["text"]
        return HTML if '"cup 7"' in text else ACCEPT_A

    answers = judge(answer, some_questions(20), max_in_flight=4)

    assert ["set/7"] == [each.subject_id for each in answers if isinstance(each, Failure)]
    assert 20 == len(answers)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_question_is_not_asked_again(status: int) -> None:
    asked: list[Request] = []

    async def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(status=status, body=b'{"error": {"message": "too long"}}')

    (failure,) = judge(answer, [a_question()])

    assert isinstance(failure, Failure)
    assert ("refused", 1) == (failure.reason, len(asked))
    assert "too long" in failure.detail


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for_beyond_the_tries(status: int) -> None:
    busy = Reply(status=status)
    (verdict,) = judge(always(*[busy] * 6, ACCEPT_A), [a_question()])

    assert isinstance(verdict, Verdict)


def test_retry_after_is_kept() -> None:
    moments: list[float] = []

    async def answer(_: Request) -> Reply:
        moments.append(asyncio.get_running_loop().time())
        late = Reply(status=429, headers={"Retry-After": "1"})
        return late if len(moments) == 1 else ACCEPT_A

    (verdict,) = judge(answer, [a_question()])

    assert isinstance(verdict, Verdict)
    assert moments[1] - moments[0] >= 1


def test_a_slow_server_is_a_timeout_and_not_a_rejection() -> None:
    async def answer(_: Request) -> Reply:
        await asyncio.sleep(60)
        return ACCEPT_A

    (failure,) = judge(answer, [a_question()], timeout_seconds=0.1)

    assert isinstance(failure, Failure)
    assert "timeout" == failure.reason


def test_an_answer_that_only_drips_is_a_timeout_too() -> None:
    drip = Reply(body=ACCEPT_A.body, seconds_per_byte=0.05)
    (failure,) = judge(always(drip), [a_question()], timeout_seconds=0.3)

    assert isinstance(failure, Failure)
    assert "timeout" == failure.reason


def test_servers_that_stay_silent_stop_the_run() -> None:
    questions = some_questions(5)

    async def run() -> None:
        async with serving(always(ACCEPT_A)) as address:
            pass
        await judged(a_verifier(address, patience_seconds=0.2), questions)

    with pytest.raises(ServiceUnavailableError, match=r"http://127\.0\.0\.1.*unreachable"):
        asyncio.run(run())


def test_an_error_for_everything_is_the_servers_fault_if_it_is_not_well() -> None:
    async def answer(_: Request) -> Reply:
        return BROKEN

    async def run() -> None:
        async with serving(answer) as address:  # /health is broken too
            await judged(a_verifier(address), [a_question()])

    with pytest.raises(ServiceUnavailableError, match="out of memory"):
        asyncio.run(run())


def test_the_wrong_model_stops_the_run_and_names_what_there_is() -> None:
    async def answer(_: Request) -> Reply:
        return Reply(status=404, body=b'{"error": {"message": "no such model"}}')

    with pytest.raises(ConfigError, match=f"no such model.*{MODEL}"):
        judge(answer, [a_question()])


def test_a_server_that_comes_back_is_used_again() -> None:
    questions = some_questions(20)

    async def run() -> list[Verdict | Failure]:
        async with serving(a_vllm(always(ACCEPT_A))) as address:
            pass
        running = asyncio.create_task(judged(a_verifier(address, max_in_flight=4), questions))
        await asyncio.sleep(0.2)
        port = int(address.split(":")[2].removesuffix("/v1"))
        async with serving(a_vllm(always(ACCEPT_A)), port=port):
            return await running

    answers = asyncio.run(run())

    assert 20 == sum(isinstance(answer, Verdict) for answer in answers)
