"""
What may be asked and what is answered, as vLLM has it.

The fields are those of vLLM's `ChatCompletionRequest` (vllm/entrypoints/openai/chat_completion/
protocol.py, 0.33.0) as far as one greedy token needs them. As there, fields that nobody knows are
ignored. Fields that vLLM knows and that would change the answer are refused, never ignored.
`guided_choice` is the name that `structured_outputs.choice` had before vLLM 0.12; both are read.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from engine.errors import PermanentError

VLLM_VERSION = "0.33.0"  # whose dialect is spoken
MAX_TOP_LOGPROBS = 20  # vLLM's --max-logprobs
MAX_IMAGES = 4  # in one request
_LEAST_LOGPROB = -9999.0  # JSON knows no infinity; vLLM writes this

# Fields of vLLM's request that would change the answer, with the values that do not.
_REFUSED: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "stream": (False,),
    "temperature": (0,),
    "use_beam_search": (False,),
    "response_format": (),
    "tools": ([],),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "min_tokens": (0,),
    "stop": ("", []),
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "allowed_token_ids": (),
    "logprob_token_ids": (),
    "prompt_logprobs": (),
    "echo": (False,),
    "add_generation_prompt": (True,),
    "continue_final_message": (False,),
    "add_special_tokens": (False,),
    "truncate_prompt_tokens": (),
    "documents": ([],),
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "mm_processor_kwargs": ({},),
    "return_tokens_as_token_ids": (False,),
    "guided_json": (),
    "guided_regex": (),
    "guided_grammar": (),
}


class RefusedRequestError(PermanentError):
    """A request that cannot be answered; `status` is that of HTTP."""

    reason = "refused_request"

    def __init__(self, message: str, *, status: int = 400, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    url: str


class ImagePart(BaseModel):
    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    @property
    def parts(self) -> list[TextPart | ImagePart]:
        """The content as parts: a text alone is one part."""
        if isinstance(self.content, str):
            return [TextPart(type="text", text=self.content)]
        return list(self.content)


class StructuredOutputs(BaseModel, extra="forbid"):
    """How the answer is constrained; vLLM's other ways are refused."""

    choice: list[str] = Field(min_length=1)


class ChatRequest(BaseModel):
    """One question."""

    messages: list[Message] = Field(min_length=1)
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=0, ge=0, le=MAX_TOP_LOGPROBS)
    structured_outputs: StructuredOutputs | None = None
    guided_choice: list[str] | None = Field(default=None, min_length=1)

    @property
    def choices(self) -> list[str] | None:
        """The only texts that may be answered; None if any may."""
        return self.structured_outputs.choice if self.structured_outputs else self.guided_choice

    @property
    def image_urls(self) -> list[str]:
        """The addresses of all images, in order."""
        parts = (part for message in self.messages for part in message.parts)
        return [part.image_url.url for part in parts if isinstance(part, ImagePart)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore:
    """One token and its log-probability over the whole vocabulary."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One token: the most probable one among those allowed."""

    text: str  # "" for the end of the answer
    is_end: bool
    chosen: TokenScore
    best: tuple[TokenScore, ...]  # of the whole vocabulary, without the chosen one, falling
    prompt_tokens: int


def read_request(body: bytes, *, model: str) -> ChatRequest:
    """
    Return the request for *model*.

    Raises:
        RefusedRequestError: If it is no request that this server can answer.
    """
    try:
        fields = from_json(body)
        request = ChatRequest.model_validate(fields)
    except ValidationError as exc:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in exc.errors()]
        raise RefusedRequestError("; ".join(lines[:3])) from exc
    except ValueError as exc:
        raise RefusedRequestError(f"the body is no JSON: {exc}") from exc
    for name, harmless in _REFUSED.items():
        if fields.get(name) is not None and fields[name] not in harmless:
            raise RefusedRequestError(f"{name}: this server knows only its default; leave it out")
    _check(request, model)
    return request


def _check(request: ChatRequest, model: str) -> None:
    if request.model and request.model != model:
        msg = f"The model `{request.model}` does not exist. Served: `{model}`"
        raise RefusedRequestError(msg, status=404, kind="NotFoundError")
    limit = request.max_completion_tokens or request.max_tokens
    if limit != 1:
        raise RefusedRequestError("max_tokens: this server answers with one token; ask for 1")
    if request.top_logprobs and not request.logprobs:
        raise RefusedRequestError("when using `top_logprobs`, `logprobs` must be set to true.")
    if len(request.image_urls) > MAX_IMAGES:
        msg = f"at most {MAX_IMAGES} images may be provided in one prompt"
        raise RefusedRequestError(f"{msg}, got {len(request.image_urls)}")


def as_completion(request: ChatRequest, answer: Answer, *, model: str) -> dict[str, object]:
    """Return the body of vLLM's answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text},
        "logprobs": _logprobs(answer, request.top_logprobs or 0) if request.logprobs else None,
        "finish_reason": finish_reason(answer),
        "stop_reason": None,
    }
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": 1}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage | {"total_tokens": answer.prompt_tokens + 1},
    }


def finish_reason(answer: Answer) -> str:
    """Return "stop" if the token was the end, else "length": one token was all that was asked."""
    return "stop" if answer.is_end else "length"


def as_error(message: str, *, status: int, kind: str) -> dict[str, object]:
    """Return the body of an error as OpenAI and vLLM write it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def _logprobs(answer: Answer, number: int) -> dict[str, object]:
    """As vLLM: the chosen token comes first, then the most probable ones, *number* in all."""
    listed = [_token(score) for score in (answer.chosen, *answer.best)[:number]]
    return {"content": [{**_token(answer.chosen), "top_logprobs": listed}]}


def _token(score: TokenScore) -> dict[str, object]:
    content = list(score.text.encode("utf-8", errors="replace"))
    logprob = max(score.logprob, _LEAST_LOGPROB)
    return {"token": score.text, "logprob": logprob, "bytes": content}
