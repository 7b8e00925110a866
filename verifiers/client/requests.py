"""
What is sent: one picture and one question, to be answered with one letter.

All orders of a question's options share guidance and picture, byte for byte and in front, so that a
server that keeps prefixes computes them once.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from engine.verdicts import Option, Question
from verifiers.prompts import LETTERS, system_text, user_text
from verifiers.settings import Dialect

TOP_LOGPROBS = 20  # as many as vLLM and OpenAI give unless told otherwise

Body: TypeAlias = Mapping[str, object]


def data_url(jpeg: bytes) -> str:
    """Return a picture as it stands in a request."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def request_body(
    question: Question, order: Sequence[Option], *, image_url: str, model: str, dialect: Dialect
) -> Body:
    """
    Return the JSON body of one request.

    Args:
        order: The options of the question's task; the first gets the letter A.

        image_url: The rendered picture as a data URL; "" in groundability.

        dialect: The field by which the server holds the answer to the letters. It is a help and
            no promise: servers ignore fields that they do not know.
    """
    choices = list(LETTERS[: len(order)])
    constraint = {"choice": choices} if dialect == "structured_outputs" else choices
    return {
        "model": model,
        "messages": _messages(question, order, image_url),
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": TOP_LOGPROBS,
        dialect: constraint,
    }


def _messages(question: Question, order: Sequence[Option], image_url: str) -> list[Body]:
    has_masks = bool(question.masks)
    picture = [{"type": "image_url", "image_url": {"url": image_url}}] if image_url else []
    text = user_text(question.task, question.phrase, order, has_masks=has_masks)
    return [
        {"role": "system", "content": system_text(question.task, has_masks=has_masks)},
        {"role": "user", "content": [*picture, {"type": "text", "text": text}]},
    ]
