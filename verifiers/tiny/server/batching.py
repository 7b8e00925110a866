"""
Requests that wait are answered together: one thread reads them, one thread runs the model.

The model takes whatever waits when it becomes free, up to MAX_BATCH, so that nobody waits for a
batch to fill.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import torch

from verifiers.tiny.server.answers import answer_for
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.protocol import Answer, ChatRequest, RefusedRequestError

log = logging.getLogger(__name__)

MAX_BATCH = 32  # prompts in one forward pass


class NextTokenModel(Protocol):
    """See `verifiers.tiny.server.model`."""

    def logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Return the logits of the token after each prompt, shape (N, V)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    prompt: Prompt
    answer: "Future[Answer]" = field(default_factory=Future)


class Batcher:
    """Answers requests with one model; at most *max_waiting* wait at any time."""

    def __init__(self, model: NextTokenModel, reader: PromptReader, *, max_waiting: int) -> None:
        self._model = model
        self._reader = reader
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self.num_inside = 0  # accepted and not answered; touched by the event loop alone
        self.num_running = 0

    @property
    def num_waiting(self) -> int:
        return max(0, self.num_inside - self.num_running)

    @property
    def is_alive(self) -> bool:
        """Whether requests can be answered."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        self._reading.shutdown()
        self._queue.put(None)
        self._thread.join()

    async def answer(self, request: ChatRequest) -> Answer:
        """
        Return the answer to *request*.

        Raises:
            RefusedRequestError: If it cannot be answered, or (503) if too many wait already.
        """
        if self.num_waiting >= self._max_waiting:
            msg = f"{self._max_waiting} requests wait already: try again later"
            raise RefusedRequestError(msg, status=503, kind="ServiceUnavailableError")
        self.num_inside += 1
        try:
            loop = asyncio.get_running_loop()
            prompt = await loop.run_in_executor(self._reading, self._reader.read, request)
            waiting = _Waiting(prompt=prompt)
            self._queue.put(waiting)
            return await asyncio.wrap_future(waiting.answer)
        finally:
            self.num_inside -= 1

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self.num_running = len(batch)
            self._compute(batch)
            self.num_running = 0

    def _compute(self, batch: Sequence[_Waiting]) -> None:
        """Compute together; if that fails, one by one, so that one prompt spoils no other."""
        try:
            logits = self._model.logits([each.prompt for each in batch])
            answers = [
                answer_for(row, each.prompt, self._reader.tokenizer)
                for row, each in zip(logits, batch, strict=True)
            ]
        except Exception as exc:
            if len(batch) == 1:
                log.exception("a prompt could not be computed")
                _settle(batch[0], exc)
            else:
                for each in batch:
                    self._compute([each])
            return
        for each, answer in zip(batch, answers, strict=True):
            _settle(each, answer)


def _settle(waiting: _Waiting, outcome: Answer | Exception) -> None:
    """Hand over the outcome, unless the caller went away."""
    if not waiting.answer.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
