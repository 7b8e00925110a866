"""What servers say that answers cost, in tokens."""

import asyncio
import json

import pytest

from engine.records import Failure
from engine.verdicts import Verdict
from tests.chat_server import Reply, Request, a_reply, serving
from tests.judging import ACCEPT_A, a_verifier, some_questions
from verifiers.client.replies import num_tokens


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"usage": {"prompt_tokens": 7, "completion_tokens": 1}}', 8, id="both"),
        pytest.param(b"{}", 0, id="it does not say"),
        pytest.param(b'{"usage": null}', 0, id="nothing"),
        pytest.param(b'{"usage": {"prompt_tokens": 7}}', 0, id="half"),
        pytest.param(b'{"usage": {"prompt_tokens": -7, "completion_tokens": 1}}', 0, id="nonsense"),
        pytest.param(b"<html>", 0, id="no JSON"),
    ],
)
def test_tokens_of_a_reply(content: bytes, expected: int) -> None:
    assert expected == num_tokens(content)


def spent(num_questions: int, *, reply: Reply) -> tuple[int, list[object]]:
    """Return what a verifier has spent when each reply costs ten tokens, and its answers."""

    async def answer(request: Request) -> Reply:
        body = json.loads(reply.body)
        body["usage"] = {"prompt_tokens": 9, "completion_tokens": 1}
        return Reply(body=json.dumps(body).encode())

    async def ask() -> tuple[int, list[object]]:
        async with serving(answer) as address:
            verifier = a_verifier(address)
            answers: list[object] = []
            for _ in range(2):
                answers += [each async for each in verifier.judge(some_questions(num_questions))]
            return verifier.tokens_spent, answers

    return asyncio.run(ask())


def test_a_verifier_adds_up_what_its_answers_cost() -> None:
    tokens, answers = spent(5, reply=ACCEPT_A)

    assert 2 * 5 * 10 == tokens
    assert all(isinstance(each, Verdict) for each in answers)


def test_tries_in_vain_cost_as_well() -> None:
    tokens, answers = spent(1, reply=a_reply({"Z": -0.1}))

    assert 2 * 3 * 10 == tokens
    assert all(isinstance(each, Failure) for each in answers)
