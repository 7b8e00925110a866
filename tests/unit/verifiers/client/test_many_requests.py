"""Many requests at once: endpoints that share the work, bounds, and how a run ends."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from engine.ports import ShownQuestion
from engine.records import Failure
from engine.verdicts import Verdict
from tests.chat_server import Answer, Reply, Request, a_vllm, serving
from tests.judging import (
    ACCEPT_A,
    a_question,
    a_verifier,
    always,
    judge,
    judged,
    some_questions,
)
from verifiers.client.endpoints import Endpoints
from verifiers.client.tries import FailedTryError


def _counting(counts: list[int], place: int) -> Answer:
    async def answer(_: Request) -> Reply:
        counts[place] += 1
        await asyncio.sleep(0.005)
        return ACCEPT_A

    return answer


def test_endpoints_share_the_work() -> None:
    counts = [0, 0]

    async def run() -> None:
        async with (
            serving(a_vllm(_counting(counts, 0))) as first,
            serving(a_vllm(_counting(counts, 1))) as second,
        ):
            await judged(a_verifier(first, second, max_in_flight=6), some_questions(60))

    asyncio.run(run())

    assert 60 == sum(counts)
    assert min(counts) > 20


def test_when_one_of_two_endpoints_dies_the_other_does_its_work() -> None:
    counts = [0, 0]

    async def run() -> list[Verdict | Failure]:
        async with serving(a_vllm(_counting(counts, 1))) as second:
            async with serving(a_vllm(_counting(counts, 0))) as first:
                verifier = a_verifier(first, second, max_in_flight=6)
                running = asyncio.create_task(judged(verifier, some_questions(100)))
                while counts[0] < 10:
                    await asyncio.sleep(0.001)
            return await running

    answers = asyncio.run(run())

    assert 100 == sum(isinstance(answer, Verdict) for answer in answers)
    assert counts[1] > counts[0]


def test_an_endpoint_that_fails_is_avoided() -> None:
    counts = [0, 0]

    async def broken(_: Request) -> Reply:
        counts[0] += 1
        return Reply(status=500)

    async def run() -> list[Verdict | Failure]:
        async with serving(broken) as first, serving(a_vllm(_counting(counts, 1))) as second:
            verifier = a_verifier(first, second, max_in_flight=4)
            return await judged(verifier, some_questions(60))

    answers = asyncio.run(run())

    assert 60 == sum(isinstance(answer, Verdict) for answer in answers)
    assert 0 < counts[0] < 20


class Server:
    """What is asked of an endpoint, which never answers and is never avoided."""

    avoided_until = 0.0
    asked = 0

    def __init__(self, address: str, *, in_flight: int) -> None:
        self.address = address
        self.in_flight = in_flight

    async def post(self, _: object) -> bytes:
        raise FailedTryError("broken", self.address)


def test_a_question_that_failed_at_one_endpoint_goes_to_another() -> None:
    idle, busy = Server("idle", in_flight=0), Server("busy", in_flight=9)
    endpoints, tried = Endpoints([idle, busy]), Counter[str]()  # type: ignore[list-item]
    for sent_to in ("idle", "busy", "idle"):
        with pytest.raises(FailedTryError, match=sent_to):
            asyncio.run(endpoints.post({}, tried=tried))

    assert {"idle": 2, "busy": 1} == tried


def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most = 0, 0

    async def answer(_: Request) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)  # long enough for seven to meet on a busy machine
        under_way -= 1
        return ACCEPT_A

    judge(answer, some_questions(60), max_in_flight=7)

    assert 7 == most


def test_questions_are_pulled_a_bounded_number_ahead() -> None:
    pulled = 0

    def questions() -> Iterator[ShownQuestion]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield a_question(str(number))

    async def run() -> int:
        async with serving(a_vllm(always(ACCEPT_A))) as address:
            verifier = a_verifier(address, max_in_flight=4)
            async with contextlib.aclosing(verifier.judge(questions())) as answers:
                async for _ in answers:
                    await asyncio.sleep(0.3)
                    return pulled
        return -1

    # In flight, yielded, and prepared ahead.
    assert 0 < asyncio.run(run()) <= 4 + 4 + 17


def test_an_error_of_the_source_ends_the_run() -> None:
    def questions() -> Iterator[ShownQuestion]:
        yield a_question()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        judge(always(ACCEPT_A), questions())


@pytest.mark.parametrize("how", ["cancelled", "closed early"])
def test_a_run_that_is_left_leaves_nothing_running(how: str) -> None:
    before = set(threading.enumerate())
    asked = 0

    async def answer(_: Request) -> Reply:
        """Let all ask first, then answer the last of them alone."""
        nonlocal asked
        asked += 1
        await asyncio.sleep(0 if asked == 8 else 60)
        return ACCEPT_A

    async def consume(address: str) -> None:
        verifier = a_verifier(address, max_in_flight=8, timeout_seconds=600)
        async with contextlib.aclosing(verifier.judge(some_questions(500))) as answers:
            async for _ in answers:
                if how == "closed early":
                    return

    async def run() -> int:
        async with serving(a_vllm(answer)) as address:
            task = asyncio.create_task(consume(address))
            while asked < 8:
                await asyncio.sleep(0.01)
            if how == "cancelled":
                task.cancel()
            await asyncio.wait([task])
            return sum("_answer_next" in repr(one) for one in asyncio.all_tasks())

    assert 0 == asyncio.run(run())
    assert before == set(threading.enumerate())
