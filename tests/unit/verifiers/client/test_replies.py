"""Probabilities of the options, read from a reply."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdicts import OPTIONS, Option, VerdictTask
from tests.chat_server import a_reply
from verifiers.client.replies import option_probabilities
from verifiers.client.tries import FailedTryError
from verifiers.prompts import LETTERS

TASK = VerdictTask.MASK
ORDER = OPTIONS[TASK]

# What the model gives each letter besides 0.1 or less for other words.
_weights = st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5)
_orders = st.permutations(ORDER)


def _logprobs(weights: list[float], *, others: float = 0.1) -> dict[str, float]:
    scale = (1 - others) / sum(weights)
    return {letter: math.log(w * scale) for letter, w in zip(LETTERS, weights, strict=False)}


def _probabilities(logprobs: dict[str, float], order: tuple[Option, ...] = ORDER) -> list[float]:
    return list(option_probabilities(a_reply(logprobs).body, TASK, order))


@given(_weights)
def test_the_letters_alone_share_all_probability(weights: list[float]) -> None:
    found = _probabilities({**_logprobs(weights), "The": math.log(0.05)})

    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx([weight / sum(weights) for weight in weights])


@given(_weights, _orders)
def test_an_option_keeps_its_probability_under_any_letter(
    weights: list[float], order: list[Option]
) -> None:
    of_option = dict(zip(ORDER, weights, strict=True))
    asked = _logprobs([of_option[option] for option in order])

    assert _probabilities(_logprobs(weights)) == pytest.approx(_probabilities(asked, tuple(order)))


@given(_weights, st.floats(0.0, 1.0))
def test_a_letter_counts_with_and_without_a_space(weights: list[float], share: float) -> None:
    whole = _logprobs(weights)
    parts = {letter: logprob + math.log(1 - 0.9 * share) for letter, logprob in whole.items()}
    spaced = {
        f" {letter}": logprob + math.log(0.9 * share + 1e-12) for letter, logprob in whole.items()
    }

    assert _probabilities(whole) == pytest.approx(_probabilities({**parts, **spaced}))


def test_a_letter_that_is_not_among_the_likeliest_has_probability_0() -> None:
    assert [0.75, 0.25, 0, 0, 0] == pytest.approx(
        _probabilities({"A": math.log(0.6), "B": math.log(0.2)})
    )


def test_a_chosen_letter_counts_below_the_likeliest() -> None:
    body = json.loads(a_reply({"A": math.log(0.6)}, token="C").body)
    body["choices"][0]["message"]["content"] = "C"
    body["choices"][0]["logprobs"]["content"][0]["logprob"] = math.log(0.2)
    found = option_probabilities(json.dumps(body).encode(), TASK, ORDER)

    assert [0.75, 0, 0.25, 0, 0] == pytest.approx(list(found))


def _changed(**changes: object) -> bytes:
    """A good reply whose only choice has *changes*."""
    body = json.loads(a_reply({"A": -0.1}).body)
    body["choices"][0].update(changes)
    return json.dumps(body).encode()


_POSITION = {"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "A", "logprob": -0.1}]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html><body>Bad gateway</body></html>", "not_json", id="HTML"),
        pytest.param(b"", "not_json", id="nothing"),
        pytest.param(a_reply({"A": -0.1}).body[:-20], "not_json", id="half an answer"),
        pytest.param(b"\xff\xfe{}", "not_json", id="no text"),
        pytest.param(b"[]", "incomplete_reply", id="another kind of JSON"),
        pytest.param(b'{"error": {"message": "no"}}', "incomplete_reply", id="an error inside 200"),
        pytest.param(b'{"choices": []}', "incomplete_reply", id="no choice"),
        pytest.param(_changed(message=None), "incomplete_reply", id="no message"),
        pytest.param(_changed(logprobs=None), "no_logprobs", id="no log-probabilities"),
        pytest.param(_changed(logprobs={"content": []}), "no_logprobs", id="none for any token"),
        pytest.param(
            _changed(logprobs={"content": [{"token": "A", "logprob": -0.1}]}),
            "no_logprobs",
            id="none but for the chosen token",
        ),
        pytest.param(
            _changed(logprobs={"content": [{**_POSITION, "logprob": None}]}),
            "incomplete_reply",
            id="a log-probability that is none",
        ),
        pytest.param(
            _changed(logprobs={"content": [{**_POSITION, "logprob": 17.3}]}),
            "incomplete_reply",
            id="a logit, which is no log-probability",
        ),
        pytest.param(
            _changed(logprobs={"content": [{**_POSITION, "logprob": math.nan}]}),
            "incomplete_reply",
            id="not a number",
        ),
        pytest.param(
            _changed(logprobs={"content": [_POSITION, _POSITION]}),
            "several_tokens",
            id="more tokens than asked for",
        ),
        pytest.param(a_reply({"F": -0.1}).body, "not_an_option", id="a letter beyond the options"),
        pytest.param(a_reply({"The": -0.1}).body, "not_an_option", id="a word"),
        pytest.param(a_reply({"a": -0.1}).body, "not_an_option", id="a small letter"),
        pytest.param(a_reply({"(": -0.1}).body, "not_an_option", id="the first half of (A"),
        pytest.param(a_reply({"A": -0.1}, content="").body, "not_an_option", id="half a character"),
        pytest.param(_changed(message={"content": None}), "not_an_option", id="no text"),
        pytest.param(
            a_reply({"A": -5.0, "The": -0.1}, token="A").body,
            "letters_unlikely",
            id="held to a letter that the model did not mean",
        ),
    ],
)
def test_a_reply_that_says_nothing_about_the_options(body: bytes, reason: str) -> None:
    with pytest.raises(FailedTryError) as caught:
        option_probabilities(body, TASK, ORDER)

    assert (reason, True, False) == (
        caught.value.reason,
        caught.value.counts,
        caught.value.is_final,
    )


@pytest.mark.parametrize(
    ("mass", "is_enough"), [(0.4999, False), (0.5001, True)], ids=["below half", "above half"]
)
def test_the_letters_must_be_likelier_than_anything_else(mass: float, is_enough: bool) -> None:
    body = a_reply({"A": math.log(mass * 0.75), "B": math.log(mass * 0.25)}).body
    if is_enough:
        assert option_probabilities(body, TASK, ORDER)[0] == pytest.approx(0.75)
    else:
        with pytest.raises(FailedTryError, match="letters_unlikely"):
            option_probabilities(body, TASK, ORDER)
