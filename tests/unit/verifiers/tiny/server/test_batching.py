"""What waits is answered together, no more than allowed waits, and one prompt spoils no other."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
import torch

from tests.verifier_requests import question
from verifiers.tiny.server.batching import MAX_BATCH, Batcher
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.protocol import Answer, ChatRequest, RefusedRequestError


class GatedModel:
    """Answers every prompt with the first choice, once the gate is open; "E" cannot be answered."""

    def __init__(self, reader: PromptReader) -> None:
        self.gate = threading.Event()
        self.sizes: list[int] = []
        self._num_tokens = len(reader.tokenizer)
        self._poison = reader.tokenizer.convert_tokens_to_ids("E")

    def logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        assert self.gate.wait(30)
        self.sizes.append(len(prompts))
        if any(self._poison in prompt.input_ids for prompt in prompts):
            raise RuntimeError("poisoned")
        return torch.zeros(len(prompts), self._num_tokens)


def request(text: str = "Rate A") -> ChatRequest:
    return ChatRequest.model_validate(question(text))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)


@pytest.fixture
def gated(reader: PromptReader) -> GatedModel:
    return GatedModel(reader)


def test_what_waits_is_computed_together(gated: GatedModel, reader: PromptReader) -> None:
    async def run() -> list[Answer]:
        batcher = Batcher(gated, reader, max_waiting=100)
        batcher.start()
        asked = [asyncio.create_task(batcher.answer(request())) for _ in range(2 * MAX_BATCH)]
        await until(lambda: batcher._queue.qsize() + batcher.num_running == len(asked))
        gated.gate.set()
        answers = await asyncio.gather(*asked)
        batcher.stop()
        return answers

    answers = asyncio.run(run())

    assert {"A"} == {answer.text for answer in answers}
    assert 2 * MAX_BATCH == sum(gated.sizes)
    assert MAX_BATCH == max(gated.sizes)


def test_more_than_may_wait_are_sent_away(gated: GatedModel, reader: PromptReader) -> None:
    async def run() -> None:
        batcher = Batcher(gated, reader, max_waiting=2)
        batcher.start()
        running = asyncio.create_task(batcher.answer(request()))
        await until(lambda: batcher.num_running == 1)
        waiting = [asyncio.create_task(batcher.answer(request())) for _ in range(2)]
        await until(lambda: batcher.num_waiting == 2)

        with pytest.raises(RefusedRequestError, match="2 requests wait already") as caught:
            await batcher.answer(request())
        assert 503 == caught.value.status
        gated.gate.set()
        await asyncio.gather(running, *waiting)
        assert 0 == batcher.num_waiting
        await batcher.answer(request())
        batcher.stop()

    asyncio.run(run())


def test_one_prompt_spoils_no_other(gated: GatedModel, reader: PromptReader) -> None:
    async def run() -> list[Answer | BaseException]:
        batcher = Batcher(gated, reader, max_waiting=100)
        batcher.start()
        texts = ("Rate A", "Rate E", "Rate B")
        asked = [asyncio.create_task(batcher.answer(request(text))) for text in texts]
        await until(lambda: batcher._queue.qsize() + batcher.num_running == len(asked))
        gated.gate.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        batcher.stop()
        return answers

    first, second, third = asyncio.run(run())

    assert isinstance(first, Answer)
    assert isinstance(second, RuntimeError)
    assert isinstance(third, Answer)


def test_who_goes_away_holds_up_nobody(gated: GatedModel, reader: PromptReader) -> None:
    async def run() -> Answer:
        batcher = Batcher(gated, reader, max_waiting=100)
        batcher.start()
        gone = asyncio.create_task(batcher.answer(request()))
        await until(lambda: batcher.num_running == 1)
        gone.cancel()
        gated.gate.set()
        answer = await batcher.answer(request())
        assert 0 == batcher.num_inside
        batcher.stop()
        return answer

    assert "A" == asyncio.run(run()).text


def test_a_bad_request_takes_no_place(gated: GatedModel, reader: PromptReader) -> None:
    async def run() -> None:
        batcher = Batcher(gated, reader, max_waiting=1)
        batcher.start()
        for _ in range(3):
            with pytest.raises(RefusedRequestError, match="only the server may write"):
                await batcher.answer(request("<image>"))
        assert 0 == batcher.num_inside
        gated.gate.set()
        batcher.stop()

    asyncio.run(run())
