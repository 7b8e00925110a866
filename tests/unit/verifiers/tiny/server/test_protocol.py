"""Requests are read as vLLM reads them, or refused with the reason."""

import json

import pytest

from tests.verifier_requests import data_url, question
from verifiers.tiny.server.protocol import (
    Answer,
    ChatRequest,
    RefusedRequestError,
    TokenScore,
    as_completion,
    read_request,
)

MODEL = "llava@0"


def read(**fields: object) -> ChatRequest:
    return read_request(json.dumps(question(**fields)).encode(), model=MODEL)  # type: ignore[arg-type]  # text and url are texts


def test_a_request_is_read() -> None:
    request = read(url=data_url(), model=MODEL)

    assert ["A", "B", "C"] == request.choices
    assert [data_url()] == request.image_urls


def test_the_older_name_of_choices_is_read() -> None:
    assert ["X"] == read(structured_outputs=None, guided_choice=["X"]).choices


def test_a_field_that_nobody_knows_is_ignored() -> None:
    assert read(colour="red").choices


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"max_tokens": 2}, "one token", id="two tokens"),
        pytest.param({"max_tokens": None}, "one token", id="no end"),
        pytest.param({"max_tokens": 1, "max_completion_tokens": 5}, "one token", id="newer name"),
        pytest.param({"top_logprobs": 21}, "less than or equal to 20", id="21 tokens"),
        pytest.param({"logprobs": False}, "`logprobs` must be set", id="top without logprobs"),
        pytest.param({"temperature": 0.7}, "temperature", id="sampling"),
        pytest.param({"stream": True}, "stream", id="a stream"),
        pytest.param({"n": 2}, "n: ", id="two answers"),
        pytest.param({"logit_bias": {"5": 1}}, "logit_bias", id="a bias"),
        pytest.param({"response_format": {"type": "json_object"}}, "response_format", id="JSON"),
        pytest.param({"structured_outputs": {"regex": "A"}}, "structured_outputs", id="a regex"),
        pytest.param({"structured_outputs": {"choice": []}}, "choice", id="no choice"),
        pytest.param({"messages": []}, "messages", id="no messages"),
        pytest.param({"messages": [{"role": "judge", "content": ""}]}, "role", id="a role"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
            "does not match any of the expected tags",
            id="a video",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RefusedRequestError, match=message) as caught:
        read(**fields)
    assert 400 == caught.value.status


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"A"', b"{", b"\xff\xfe"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedRequestError):
        read_request(body, model=MODEL)


def test_another_model_is_not_found() -> None:
    with pytest.raises(RefusedRequestError, match="`gpt` does not exist") as caught:
        read(model="gpt")
    assert 404 == caught.value.status


def test_too_many_images_are_refused() -> None:
    picture = {"type": "image_url", "image_url": {"url": data_url()}}

    with pytest.raises(RefusedRequestError, match="at most 4 images"):
        read(messages=[{"role": "user", "content": [picture] * 5}])


def test_the_chosen_token_is_listed_first_and_counts() -> None:
    best = tuple(TokenScore(text=text, logprob=-1.0) for text in "xyz")
    chosen = TokenScore(text="A", logprob=-7.0)
    answer = Answer(text="A", is_end=False, chosen=chosen, best=best, prompt_tokens=9)
    body = as_completion(read(top_logprobs=2), answer, model=MODEL)
    text = json.dumps(body)
    content = json.loads(text)["choices"][0]["logprobs"]["content"][0]

    assert ["A", "x"] == [each["token"] for each in content["top_logprobs"]]
    assert (-7.0, [65]) == (content["logprob"], content["bytes"])


def test_no_logprobs_are_sent_unasked() -> None:
    chosen = TokenScore(text="A", logprob=-7.0)
    answer = Answer(text="A", is_end=False, chosen=chosen, best=(), prompt_tokens=9)
    body = as_completion(read(logprobs=False, top_logprobs=0), answer, model=MODEL)

    assert '"logprobs": null' in json.dumps(body)


def test_an_impossible_token_can_be_written_as_json() -> None:
    chosen = TokenScore(text="A", logprob=float("-inf"))
    answer = Answer(text="A", is_end=True, chosen=chosen, best=(), prompt_tokens=9)
    body = as_completion(read(), answer, model=MODEL)

    assert '"logprob": -9999.0' in json.dumps(body, allow_nan=False)
