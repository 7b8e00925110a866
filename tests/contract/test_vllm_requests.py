"""What we send is what vLLM takes: requests against the JSON schema of vLLM's own request model."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.verdicts import VerdictTask, option_orders
from tests.judging import a_question
from verifiers.client.requests import Body, data_url, request_body
from verifiers.settings import Dialect

SCHEMAS: dict[Dialect, str] = {
    "structured_outputs": "vllm_0.33.0_chat_request.json",
    "guided_choice": "vllm_0.10.2_chat_request.json",
}


def _schema(dialect: Dialect) -> dict[str, object]:
    """vLLM's schema, and no field beside those that it names."""
    schema = json.loads((Path(__file__).parent / SCHEMAS[dialect]).read_text())
    return {**schema, "additionalProperties": False}


def _wrong(body: object, dialect: Dialect) -> list[str]:
    as_sent = json.loads(json.dumps(body))
    return [error.message for error in Draft202012Validator(_schema(dialect)).iter_errors(as_sent)]


def _body(task: VerdictTask, dialect: Dialect) -> Body:
    (order,) = option_orders(task, seed=0, num_orders=1)
    image_url = "" if task is VerdictTask.GROUNDABILITY else data_url(b"\xff\xd8\xff")
    question = a_question(task=task).question
    return request_body(question, order, image_url=image_url, model="m", dialect=dialect)


@pytest.mark.parametrize("dialect", SCHEMAS)
@pytest.mark.parametrize("task", VerdictTask)
def test_vllm_takes_our_requests(task: VerdictTask, dialect: Dialect) -> None:
    assert [] == _wrong(_body(task, dialect), dialect)


@pytest.mark.parametrize("dialect", SCHEMAS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"messages": "What is this?"}, id="messages that are a text"),
        pytest.param({"messages": [{"content": "no role"}]}, id="a message of nobody"),
        pytest.param({"logprobs": "yes please"}, id="a word for a flag"),
        pytest.param({"max_tokens": "one"}, id="a word for a number"),
        pytest.param({"structured_output": {"choice": ["A"]}}, id="a field that is not there"),
    ],
)
def test_the_schema_would_refuse(changes: dict[str, object], dialect: Dialect) -> None:
    assert [] != _wrong({**_body(VerdictTask.MASK, dialect), **changes}, dialect)


@pytest.mark.parametrize("dialect", SCHEMAS)
def test_the_schema_knows_how_choices_are_given(dialect: Dialect) -> None:
    other = ["A"] if dialect == "structured_outputs" else {"choice": ["A"]}

    assert [] != _wrong({**_body(VerdictTask.MASK, dialect), dialect: other}, dialect)


def test_each_dialect_is_a_field_of_its_version_alone() -> None:
    for dialect in SCHEMAS:
        named = _schema(dialect)["properties"]
        assert isinstance(named, dict)

        assert {dialect} == named.keys() & SCHEMAS.keys()
