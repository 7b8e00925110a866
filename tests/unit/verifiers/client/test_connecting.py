"""Meeting the servers: model, dialect, and those that are no verifiers."""

import asyncio
import json

import pytest

from engine.errors import ConfigError, ServiceUnavailableError
from tests.chat_server import MODEL, Answer, Reply, Request, a_vllm, serving
from tests.judging import ACCEPT_A, a_question, always, judged
from verifiers.client.connecting import connect, dialect_of
from verifiers.client.tries import retry_after_seconds
from verifiers.client.verifier import ChatVerifier
from verifiers.settings import VerifierSettings


def meet(*servers: Answer, dead: bool = False, **changes: object) -> ChatVerifier:
    """Connect to *servers*, and to one that is not there if *dead*."""
    settings = VerifierSettings.model_validate({"patience_seconds": 0.2, **changes})

    async def run() -> ChatVerifier:
        async with serving(always(ACCEPT_A)) as gone:
            pass
        addresses = [gone] if dead else []
        async with serving(servers[0]) as first, serving(servers[-1]) as second:
            return await connect(settings, [*addresses, first, second])

    return asyncio.run(run())


def test_the_listed_model_is_taken() -> None:
    assert MODEL == meet(a_vllm(always(ACCEPT_A))).name


def test_an_endpoint_that_is_away_does_not_stop_the_others() -> None:
    assert MODEL == meet(a_vllm(always(ACCEPT_A)), dead=True).name


@pytest.mark.parametrize(
    ("version", "setting", "field"),
    [
        pytest.param("0.10.2", "auto", "guided_choice", id="the last with Llama 3.2 Vision"),
        pytest.param("0.11.0", "auto", "structured_outputs", id="the first with the new field"),
        pytest.param("0.33.0", "auto", "structured_outputs", id="new"),
        pytest.param("1.0", "auto", "structured_outputs", id="some day"),
        pytest.param("main", "auto", "structured_outputs", id="no number"),
        pytest.param("0.33.0", "guided_choice", "guided_choice", id="the setting wins"),
    ],
)
def test_the_dialect_follows_the_version(version: str, setting: str, field: str) -> None:
    seen: list[Request] = []

    async def answer(request: Request) -> Reply:
        seen.append(request)
        return ACCEPT_A

    async def run() -> None:
        async with serving(a_vllm(answer, version=version)) as address:
            settings = VerifierSettings.model_validate({"dialect": setting})
            await judged(await connect(settings, [address]), [a_question()])

    asyncio.run(run())

    letters = list("ABCDE")
    expected = {"choice": letters} if field == "structured_outputs" else letters
    body = json.loads(seen[0].body)
    assert expected == body[field]
    assert 1 == len({"structured_outputs", "guided_choice"} & set(body))


def test_a_server_without_a_version_is_taken_for_new() -> None:
    async def answer(request: Request) -> Reply:
        listed = json.dumps({"data": [{"id": MODEL}]}).encode()
        return Reply(body=listed) if request.path == "/v1/models" else Reply(status=404)

    assert MODEL == meet(answer).name


@pytest.mark.parametrize("version", ["0.9.0.1", "0.10.2rc3.dev1+g1"])
def test_versions_are_compared_as_numbers(version: str) -> None:
    assert "guided_choice" == dialect_of(version)


def test_a_model_that_is_not_served_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=f"does not serve 'llama'; it lists {MODEL}"):
        meet(a_vllm(always(ACCEPT_A)), model="llama")


def test_endpoints_with_different_models_need_a_choice() -> None:
    servers = [a_vllm(always(ACCEPT_A), model=name) for name in ("one", "two")]

    with pytest.raises(ConfigError, match="list one, two: set MASKLOOP_VERIFIER__MODEL"):
        meet(*servers)


def test_endpoints_of_different_dialects_are_refused() -> None:
    servers = [a_vllm(always(ACCEPT_A), version=version) for version in ("0.10.2", "0.33.0")]

    with pytest.raises(ConfigError, match="older than vLLM"):
        meet(*servers)


@pytest.mark.parametrize(
    ("page", "hint"),
    [
        pytest.param(Reply(body=b"<html>Welcome</html>"), "ends in /v1", id="a web page"),
        pytest.param(Reply(status=404, body=b"no"), "ends in /v1", id="an address without /v1"),
        pytest.param(Reply(status=401, body=b"no key"), "VERIFIER__API_KEY", id="a wrong key"),
    ],
)
def test_what_is_no_verifier_is_named_with_what_to_check(page: Reply, hint: str) -> None:
    named = r"http://127\.0\.0\.1:\d+/v1 is no verifier for us"
    with pytest.raises(ConfigError, match=f"{named}.*{hint}"):
        meet(always(page))


def test_servers_that_are_down_are_waited_for_and_then_named() -> None:
    async def run() -> None:
        async with serving(always(ACCEPT_A)) as gone:
            pass
        await connect(VerifierSettings(patience_seconds=0.1), [gone])

    with pytest.raises(ServiceUnavailableError, match=r"http://127\.0\.0\.1"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert seconds == retry_after_seconds(header)


def test_a_date_to_come_is_waited_for() -> None:
    assert retry_after_seconds("Wed, 21 Oct 2905 07:28:00 GMT") > 1e9


@pytest.mark.parametrize(
    ("endpoints", "addresses"),
    [
        pytest.param("", (), id="the embedded server"),
        pytest.param("http://a:8000/v1/", ("http://a:8000/v1",), id="a slash at the end"),
        pytest.param("http://a/v1, https://b/v1", ("http://a/v1", "https://b/v1"), id="two"),
        pytest.param("http://a/v1,http://a/v1/", ("http://a/v1",), id="one twice"),
    ],
)
def test_endpoints_are_read_one_by_one(endpoints: str, addresses: tuple[str, ...]) -> None:
    assert addresses == VerifierSettings(endpoints=endpoints).addresses
