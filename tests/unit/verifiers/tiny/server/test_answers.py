"""Answers hold the model's own log-probabilities, whatever is allowed."""

import pytest
import torch

from tests.verifier_requests import data_url, question
from verifiers.tiny.server.answers import answer_for
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.protocol import Answer, ChatRequest


@pytest.fixture
def prompt(reader: PromptReader) -> Prompt:
    return reader.read(ChatRequest.model_validate(question(url=data_url(), top_logprobs=3)))


def answered(logits: dict[str, float], prompt: Prompt, reader: PromptReader) -> Answer:
    """Return the answer where the tokens of *logits* have those and all others 0."""
    vector = torch.zeros(len(reader.tokenizer))
    for text, value in logits.items():
        vector[reader.tokenizer.convert_tokens_to_ids(text)] = value
    return answer_for(vector, prompt, reader.tokenizer)


def test_the_likeliest_allowed_token_is_chosen(prompt: Prompt, reader: PromptReader) -> None:
    answer = answered({"red": 9.0, "A": 1.0, "B": 3.0}, prompt, reader)

    assert "B" == answer.text
    assert "red" == answer.best[0].text


def test_probabilities_are_of_the_whole_vocabulary(prompt: Prompt, reader: PromptReader) -> None:
    answer = answered({"red": 9.0, "B": 3.0}, prompt, reader)
    others = len(reader.tokenizer) - 2
    total = torch.tensor([9.0, 3.0, *[0.0] * others]).logsumexp(0)

    assert float(3.0 - total) == pytest.approx(answer.chosen.logprob, abs=1e-5)
    assert float(9.0 - total) == pytest.approx(answer.best[0].logprob, abs=1e-5)


def test_the_chosen_token_is_not_listed_twice(prompt: Prompt, reader: PromptReader) -> None:
    answer = answered({"A": 9.0, "B": 3.0, "C": 2.0}, prompt, reader)

    assert ["B", "C"] == [each.text for each in answer.best]


def test_an_unconstrained_end_is_an_end(reader: PromptReader) -> None:
    asked = ChatRequest.model_validate(question(structured_outputs=None, top_logprobs=0))
    answer = answered({"</s>": 9.0}, reader.read(asked), reader)

    assert ("", True, ()) == (answer.text, answer.is_end, answer.best)
