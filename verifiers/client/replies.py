"""
What comes back: the probabilities of the options, read from the log-probabilities of one token.

Whether the server held the answer to the letters is never trusted: vLLM gives the model's own
log-probabilities, from before any constraint. So the softmax over the letters is done here. A
letter counts with and without a space before it, which are two tokens. A letter that is not among
the likeliest tokens has probability 0. Where the letters together are less likely than something
else, the model has not answered the question, and what it says about the options means nothing.
"""

import math
from collections.abc import Sequence

from pydantic import BaseModel, Field, ValidationError

from engine.verdicts import OPTIONS, Option, VerdictTask
from verifiers.client.tries import FailedTryError
from verifiers.prompts import LETTERS

LEAST_MASS = 0.5  # of all letters together

_ROUNDING = 1e-3  # servers compute in half precision: a sure token may come out above 0
_SHOWN_CHARACTERS = 80


class _Token(BaseModel):
    token: str
    logprob: float = Field(le=_ROUNDING)


class _Position(_Token):
    top_logprobs: tuple[_Token, ...] = ()


class _Logprobs(BaseModel):
    content: tuple[_Position, ...] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    logprobs: _Logprobs | None = None


class _Reply(BaseModel):
    choices: tuple[_Choice, ...] = Field(min_length=1)


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Counted(BaseModel):
    usage: _Usage


def num_tokens(content: bytes) -> int:
    """Return how many tokens the server read and wrote for this reply; 0 where it does not say."""
    try:
        usage = _Counted.model_validate_json(content).usage
    except ValidationError:
        return 0
    return usage.prompt_tokens + usage.completion_tokens


def option_probabilities(
    content: bytes, task: VerdictTask, order: Sequence[Option]
) -> tuple[float, ...]:
    """
    Return the probability of each option, in the order of OPTIONS[task]; their sum is 1.

    Args:
        content: The body of the reply.

        order: The options as they were asked; the first had the letter A.

    Raises:
        FailedTryError: If the reply does not say how likely the options are.
    """
    choice = _choice(content)
    position = _only_position(choice)
    letters = LETTERS[: len(order)]
    text = (choice.message.content or "").strip()
    if text not in set(letters):
        raise FailedTryError("not_an_option", f"answered {text[:_SHOWN_CHARACTERS]!r}")
    masses = _masses(position, letters)
    total = sum(masses)
    if total < LEAST_MASS:
        raise FailedTryError("letters_unlikely", f"all letters together have {total:.3g}")
    each = dict(zip(order, masses, strict=True))
    return tuple(each[option] / total for option in OPTIONS[task])


def _choice(content: bytes) -> _Choice:
    try:
        return _Reply.model_validate_json(content).choices[0]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            shown = content[:_SHOWN_CHARACTERS].decode(errors="replace")
            raise FailedTryError("not_json", f"the reply begins with {shown!r}") from error
        where = ".".join(map(str, first["loc"]))
        raise FailedTryError("incomplete_reply", f"{where}: {first['msg']}") from error


def _only_position(choice: _Choice) -> _Position:
    positions = (choice.logprobs and choice.logprobs.content) or ()
    if not positions or not positions[0].top_logprobs:
        detail = "the reply has no log-probabilities: let the server send 20 (vLLM: --max-logprobs)"
        raise FailedTryError("no_logprobs", detail)
    if len(positions) > 1:
        raise FailedTryError("several_tokens", f"one token was asked for, {len(positions)} came")
    return positions[0]


def _masses(position: _Position, letters: str) -> list[float]:
    """Return the probability of each letter; the chosen token counts even below the likeliest."""
    tokens = [(each.token, each.logprob) for each in position.top_logprobs]
    chosen = (position.token, position.logprob)
    likelihoods = dict.fromkeys(letters, 0.0)
    for token, logprob in tokens if chosen in tokens else [*tokens, chosen]:
        if (letter := token.strip()) in likelihoods:
            likelihoods[letter] += math.exp(logprob)
    return list(likelihoods.values())
