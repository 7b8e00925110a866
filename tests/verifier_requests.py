"""Requests for the verifiers' server, as the client sends them."""

import base64

import numpy as np

from verifiers.render import as_jpeg

LETTERS = ["A", "B", "C"]


def data_url(*, seed: int = 0, height: int = 96, width: int = 192) -> str:
    """Return a picture of noise as a data URL."""
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(pixels_HWC)).decode()}"


def question(text: str = "Rate A B C", *, url: str = "", **fields: object) -> dict[str, object]:
    """Return the body of a request about *url*; "" asks without a picture."""
    picture = [{"type": "image_url", "image_url": {"url": url}}] if url else []
    content = [*picture, {"type": "text", "text": text}]
    return {
        "messages": [
            {"role": "system", "content": "Answer with one letter."},
            {"role": "user", "content": content},
        ],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 20,
        "structured_outputs": {"choice": LETTERS},
        **fields,
    }
