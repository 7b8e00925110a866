"""The routes answer like vLLM's, and never with a traceback."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import openai
import pytest
import torch
from fastapi.testclient import TestClient

from engine.errors import ConfigError
from engine.weights import Weights
from tests.verifier_requests import data_url, question
from verifiers.tiny.server.app import MAX_BODY_BYTES, build_app
from verifiers.tiny.server.batching import Batcher
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.serving import open_app, serve

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(weights: Weights) -> Iterator[TestClient]:
    with TestClient(open_app(weights.folder, max_waiting=8)) as client:
        yield client


class BrokenModel:
    """Fails at every prompt."""

    def logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise RuntimeError("secret detail")


def test_a_question_is_answered(client: TestClient, weights: Weights) -> None:
    reply = client.post(CHAT, json=question(url=data_url(), model=weights.name))
    body = reply.json()
    (choice,) = body["choices"]
    (position,) = choice["logprobs"]["content"]

    assert (200, weights.name) == (reply.status_code, body["model"])
    assert choice["message"]["content"] in {"A", "B", "C"}
    assert ("length", 20) == (choice["finish_reason"], len(position["top_logprobs"]))
    assert all(-100 < each["logprob"] < 0 for each in position["top_logprobs"])
    assert body["usage"]["prompt_tokens"] > 144


def test_the_one_model_is_listed(client: TestClient, weights: Weights) -> None:
    (card,) = client.get("/v1/models").json()["data"]

    assert (weights.name, 512) == (card["id"], card["max_model_len"])


def test_the_version_says_whose_dialect_it_is(client: TestClient) -> None:
    body = client.get("/version").json()

    assert "0.33.0" == body["version"]
    assert "maskloop" in body["server"]


def test_answers_are_counted_under_vllms_names(client: TestClient, weights: Weights) -> None:
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        found = [line for line in lines if line.startswith(f"{name}{{")]
        assert all(weights.name in line for line in found)
        return sum(float(line.rpartition(" ")[2]) for line in found)

    names = (
        *("vllm:request_success_total", "vllm:generation_tokens_total"),
        *("vllm:e2e_request_latency_seconds_count", "vllm:time_to_first_token_seconds_count"),
    )
    before = {name: value(name) for name in names}
    tokens = value("vllm:prompt_tokens_total")
    body = client.post(CHAT, json=question(url=data_url())).json()

    assert {name: count + 1 for name, count in before.items()} == {n: value(n) for n in names}
    assert tokens + body["usage"]["prompt_tokens"] == value("vllm:prompt_tokens_total")
    assert 0 == value("vllm:num_requests_running") == value("vllm:num_requests_waiting")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(question(model="gpt-4"), 404, id="another model"),
        pytest.param(question(url="https://example.org/a.jpg"), 400, id="a remote image"),
        pytest.param(question(url="data:image/png;base64,AAAA"), 400, id="a broken image"),
        pytest.param(question("A " * 600), 400, id="too long"),
        pytest.param(question(structured_outputs={"choice": ["no token"]}), 400, id="choices"),
        pytest.param({}, 400, id="nothing"),
    ],
)
def test_a_bad_request_is_an_error_as_openai_writes_it(
    client: TestClient, asked: dict[str, object], status: int
) -> None:
    reply = client.post(CHAT, json=asked)
    error = reply.json()["error"]

    assert (status, status) == (reply.status_code, error["code"])
    assert error["message"]
    assert "Traceback" not in reply.text


def test_an_unknown_route_is_an_error_of_the_same_shape(client: TestClient) -> None:
    assert 404 == client.get("/v1/embeddings").json()["error"]["code"]
    assert 405 == client.get(CHAT).json()["error"]["code"]


def test_a_body_that_is_too_large_is_not_read_to_its_end(client: TestClient) -> None:
    sent = 0

    def blocks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(2 * (MAX_BODY_BYTES >> 20)):
            sent += 1 << 20
            yield bytes(1 << 20)

    assert 413 == client.post(CHAT, content=blocks()).status_code


def test_only_who_knows_the_key_is_answered(weights: Weights) -> None:
    with TestClient(open_app(weights.folder, max_waiting=8, api_key="s3cret")) as client:

        def status(authorization: str) -> int:
            headers = {"Authorization": authorization} if authorization else {}
            replies = [
                client.get("/v1/models", headers=headers),
                client.post(CHAT, json=question(), headers=headers),
            ]
            assert replies[0].status_code == replies[1].status_code
            return replies[0].status_code

        assert 200 == status("Bearer s3cret")
        assert [401] * 5 == [
            status(each) for each in ("", "Bearer", "Bearer guess", "Basic s3cret", "s3cret")
        ]
        assert 200 == client.get("/health").status_code == client.get("/metrics").status_code


def test_what_breaks_inside_stays_inside(weights: Weights, reader: PromptReader) -> None:
    batcher = Batcher(BrokenModel(), reader, max_waiting=8)
    app = build_app(weights, batcher, max_tokens=512)
    with TestClient(app, raise_server_exceptions=False) as client:
        reply = client.post(CHAT, json=question(url=data_url()))

        assert (500, 500) == (reply.status_code, reply.json()["error"]["code"])
        assert "secret detail" not in reply.text
        assert 200 == client.get("/health").status_code


def test_a_server_that_cannot_answer_is_not_healthy(weights: Weights, reader: PromptReader) -> None:
    batcher = Batcher(BrokenModel(), reader, max_waiting=8)
    client = TestClient(build_app(weights, batcher, max_tokens=512))  # never started

    assert 503 == client.get("/health").status_code


def test_openais_client_understands_the_errors(client: TestClient) -> None:
    reply = client.post(CHAT, json=question(model="gpt-4"))
    error = openai.NotFoundError("no", response=reply, body=reply.json()["error"])

    assert "NotFoundError" == error.type
    assert json.loads(reply.text)["error"]["message"].startswith("The model `gpt-4` does not exist")


def test_others_need_a_key_to_be_let_in(weights: Weights, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="others can reach"):
        serve(weights.folder, host="0.0.0.0", port=0, max_waiting=8, key_file=None)
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        serve(weights.folder, host="", port=0, max_waiting=8, key_file=tmp_path / "key")
