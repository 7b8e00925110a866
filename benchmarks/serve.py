"""
How many questions the embedded verifier server's model answers in a second of one core.

The model has the bundled size and first weights: speed does not depend on what it learnt. Requests
are read and computed as the server does, without HTTP. Time is that of this process on the
processor, so that others on the machine disturb less.
"""

import base64
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks.rows import Row, print_rows
from verifiers.render import as_jpeg
from verifiers.tiny.architecture import build_tokenizer, build_verifier, save_verifier
from verifiers.tiny.server.llava import Llava
from verifiers.tiny.server.llava_prompts import LlavaPromptReader
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.model import ImageTextModel
from verifiers.tiny.server.prompts import PromptReader
from verifiers.tiny.server.protocol import ChatRequest
from verifiers.tiny.server.weights import find_weights

NUM_QUESTIONS = 128
BATCH = 16
NUM_ORDERS = 4
_WORDS = (*"ABCDE", "Rate", "this", "mask", "for", "the", "label", "red", "circle", "Accept", "as")
_TEXT = (
    'Rate this mask for the label "red circle"\n'
    "(A) Accept\n(B) Accept as text\n(C) Flag label\n(D) Whole image\n(E) Reject"
)


def rows() -> list[Row]:
    """Measure questions alone, in batches, and several about each picture."""
    with tempfile.TemporaryDirectory() as folder:
        model, reader = _model(Path(folder))
    apart = [_request(seed) for seed in range(NUM_QUESTIONS)]
    shared = [_request(index // NUM_ORDERS) for index in range(NUM_QUESTIONS)]
    alone = _rate(Llava(model, padding=0), reader, apart, batch=1)
    batched = _rate(Llava(model, padding=0), reader, apart, batch=BATCH)
    kept = _rate(Llava(model, padding=0), reader, shared, batch=BATCH)
    whole = _rate(ImageTextModel(model, padding=0), reader, shared, batch=BATCH)
    unit = "questions/s of one core"
    orders = f"{NUM_ORDERS} orders of each picture"
    return [
        Row(name="verifier server, one at a time", value=alone, unit=unit),
        Row(name=f"the same, {BATCH} at a time", value=batched, unit=unit),
        Row(name=f"the same, {orders}", value=kept, unit=unit),
        Row(name=f"{orders}: against no kept beginnings", value=kept / whole, unit="times"),
    ]


def _rate(
    model: ImageTextModel, reader: PromptReader, requests: Sequence[ChatRequest], *, batch: int
) -> float:
    def answer() -> None:
        for start in range(0, len(requests), batch):
            prompts = [reader.read(request) for request in requests[start : start + batch]]
            model.logits(prompts)

    return len(requests) / _seconds(answer)


def _seconds(work: Callable[[], None]) -> float:
    """Return the processor's seconds of *work*, done once; its first calls are no slower."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _model(folder: Path) -> tuple[PreTrainedModel, PromptReader]:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(_WORDS)
    save_verifier(build_verifier(tokenizer), tokenizer, folder)
    weights = find_weights(folder)
    model = load_model(weights, torch.device("cpu"))
    reader = LlavaPromptReader(load_processor(weights), max_tokens=512)
    ImageTextModel(model, padding=0).logits([reader.read(_request(0))])  # what is made once
    return model, reader


def _request(seed: int) -> ChatRequest:
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (96, 192, 3), dtype=np.uint8)
    url = f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(pixels_HWC)).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": _TEXT}]
    return ChatRequest.model_validate(
        {
            "messages": [{"role": "user", "content": content}],
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": 20,
            "structured_outputs": {"choice": list("ABCDE")},
        }
    )


if __name__ == "__main__":
    print_rows(rows())
