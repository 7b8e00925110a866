"""The same question has the same answer alone, among others and the second time."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from tests.other_image_text import save_untrained_idefics3
from tests.verifier_requests import data_url, question
from verifiers.tiny.server import llava as llava_module
from verifiers.tiny.server.llava import Llava
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.model import ImageTextModel
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.protocol import ChatRequest
from verifiers.tiny.server.weights import find_weights

CPU = torch.device("cpu")
FIRST, SECOND = data_url(seed=1), data_url(seed=2)

# Beginnings that are new, shared and shared again, of several lengths, and none at all.
ASKED = (
    question("Rate A B C", url=FIRST),
    question("Rate this mask A B C red circle", url=FIRST),
    question("Rate this mask for red circle A B C", url=SECOND),
    question("Rate A", url=FIRST),
    question("Rate the label red A B", url=""),
    question("Rate circle", url=""),
)


def prompts(reader: PromptReader) -> list[Prompt]:
    return [reader.read(ChatRequest.model_validate(asked)) for asked in ASKED]


def alone(model: ImageTextModel, asked: list[Prompt]) -> torch.Tensor:
    return torch.cat([model.logits([prompt]) for prompt in asked])


@pytest.fixture
def plain(model: PreTrainedModel) -> ImageTextModel:
    return ImageTextModel(model, padding=0)


@pytest.fixture
def llava(model: PreTrainedModel) -> Llava:
    return Llava(model, padding=0)


def assert_close(expected: torch.Tensor, actual: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_answers_are_those_of_the_model_itself(
    model: PreTrainedModel, reader: PromptReader, plain: ImageTextModel
) -> None:
    with torch.inference_mode():
        expected = [
            model(
                **{name: value[None] for name, value in prompt.sequences.items()}, **prompt.visuals
            ).logits[0, -1]
            for prompt in prompts(reader)
        ]

    assert_close(torch.stack(expected), alone(plain, prompts(reader)))


def test_a_batch_changes_no_answer(plain: ImageTextModel, reader: PromptReader) -> None:
    asked = prompts(reader)

    assert_close(alone(plain, asked), plain.logits(asked))


def test_kept_beginnings_change_no_answer(
    plain: ImageTextModel, llava: Llava, reader: PromptReader
) -> None:
    asked = prompts(reader)
    expected = alone(plain, asked)

    assert_close(expected, llava.logits(asked))
    assert_close(expected, llava.logits(asked))
    assert_close(expected, alone(llava, asked))
    assert_close(expected.flip(0), llava.logits(asked[::-1]))


def test_a_kept_beginning_is_not_computed_again(llava: Llava, reader: PromptReader) -> None:
    asked = [prompt for prompt in prompts(reader) if prompt.pictures]
    llava.logits(asked)
    for prompt in asked:
        prompt.visuals["pixel_values"].fill_(torch.nan)

    assert llava.logits(asked).isfinite().all()


def test_another_picture_is_another_beginning(llava: Llava, reader: PromptReader) -> None:
    asked = prompts(reader)
    llava.logits(asked[:1])
    first, second = llava.logits([asked[0], asked[2]])

    assert not torch.allclose(first, second, atol=1e-3)


def test_what_was_not_used_for_long_is_forgotten(
    llava: Llava, reader: PromptReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(reader)
    expected = alone(llava, asked)
    one = next(iter(llava._kept.values())).num_bytes
    monkeypatch.setattr(llava_module, "_MAX_BYTES", one)

    assert_close(expected, llava.logits(asked))
    assert_close(expected, alone(llava, asked))
    assert (1, one) == (len(llava._kept), llava._kept_bytes)


def test_pictures_lead_the_prompt(reader: PromptReader) -> None:
    """Otherwise nothing could be kept, whatever the order of the parts."""
    picture = {"type": "image_url", "image_url": {"url": FIRST}}
    parts = [{"type": "text", "text": "Rate A"}, picture]
    read = [
        reader.read(
            ChatRequest.model_validate({"messages": [{"role": "user", "content": content}]})
        )
        for content in (parts, parts[::-1])
    ]

    assert torch.equal(read[0].input_ids, read[1].input_ids)


def test_another_kind_of_model_answers_alone_and_in_a_batch(tmp_path: Path) -> None:
    """Its pictures become one to five tiles, so not all of them fit into one tensor."""
    weights = find_weights(save_untrained_idefics3(tmp_path))
    model = ImageTextModel(load_model(weights, CPU), padding=0)
    reader = PromptReader(load_processor(weights), max_tokens=2048)
    tall = question("Rate A B C", url=data_url(height=200, width=90))
    asked = [reader.read(ChatRequest.model_validate(each)) for each in (*ASKED, tall, tall)]

    assert "idefics3" == weights.kind
    assert_close(alone(model, asked), model.logits(asked))
