"""Questions for the verifiers' client, and runs of it against a server of `tests.chat_server`."""

import asyncio
import itertools
import math
from collections.abc import Iterable

import numpy as np

from engine.ports import ShownQuestion
from engine.records import Failure, Mask
from engine.verdicts import Question, Verdict, VerdictTask
from tests.chat_server import MODEL, Answer, Reply, Request, a_reply, a_vllm, serving
from tests.factories import a_mask
from verifiers.client.verifier import ChatVerifier
from verifiers.settings import VerifierSettings

ACCEPT_A = a_reply({"A": math.log(0.6), "B": math.log(0.3)})


def a_question(
    name: str = "0", task: VerdictTask = VerdictTask.MASK, *, mask: Mask | None = None
) -> ShownQuestion:
    """A question about "cup *name*", in MV about the mask set/*name*."""
    masks = (mask or a_mask(),) if task is VerdictTask.MASK else ()
    question = Question(
        task=task,
        pair_id="pair",
        media_id="media",
        phrase=f"cup {name}",
        masks=masks,
        mask_ids=tuple(f"set/{name}" for _ in masks),
    )
    pixels_HWC = np.zeros((6, 8, 3), np.uint8)
    is_shown = task is not VerdictTask.GROUNDABILITY
    return ShownQuestion(question=question, pixels_HWC=pixels_HWC if is_shown else None)


def some_questions(count: int) -> list[ShownQuestion]:
    return [a_question(str(number)) for number in range(count)]


def a_verifier(*addresses: str, **changes: object) -> ChatVerifier:
    """A verifier that loses patience soon, with *changes* of its settings."""
    soon = {"timeout_seconds": 5.0, "patience_seconds": 5.0, "cpu_threads": 1}
    settings = VerifierSettings.model_validate({**soon, **changes})
    return ChatVerifier(settings, addresses=addresses, model=MODEL, dialect="structured_outputs")


async def judged(
    verifier: ChatVerifier, questions: Iterable[ShownQuestion]
) -> list[Verdict | Failure]:
    return [answer async for answer in verifier.judge(questions)]


def judge(
    answer: Answer, questions: Iterable[ShownQuestion], **changes: object
) -> list[Verdict | Failure]:
    """Judge *questions* with one server that answers so, and settings with *changes*."""

    async def run() -> list[Verdict | Failure]:
        async with serving(a_vllm(answer)) as address:
            return await judged(a_verifier(address, **changes), questions)

    return asyncio.run(run())


def always(*replies: Reply) -> Answer:
    """Answer with *replies* in turn, the last one for ever."""
    rest = itertools.chain(replies, itertools.repeat(replies[-1]))

    async def answer(_: Request) -> Reply:
        return next(rest)

    return answer
