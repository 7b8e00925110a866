"""The verifier behind `engine.ports.Verifier`: questions in, verdicts and failures out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

from engine.asking import STAGE
from engine.errors import InvalidMaskError
from engine.ids import content_id
from engine.ports import ShownQuestion
from engine.prefetch import prefetched
from engine.records import Failure
from engine.verdicts import (
    Question,
    Verdict,
    VerdictTask,
    option_orders,
    order_seed,
    verdict_id,
)
from verifiers.client.asking import ask
from verifiers.client.endpoints import Endpoints, opened
from verifiers.client.pulling import Source, pulled
from verifiers.client.requests import data_url, request_body
from verifiers.client.tries import FailedTryError
from verifiers.prompts import prompt_hash
from verifiers.render import (
    as_jpeg,
    draw_on_one_thread,
    render_boxes,
    render_mask,
    render_version,
)
from verifiers.settings import Dialect, VerifierSettings

_ANSWER_VERSION = 1  # goes up when the code gives other probabilities for the same settings
_PREPARED_AHEAD = 16  # questions; each may still hold its decoded image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A question that waits to be sent."""

    question: Question
    image_url: str  # "" in groundability


class ChatVerifier:
    """
    Asks OpenAI-compatible servers. See `verifiers.client.connecting.connect`.

    Args:
        addresses: The servers, with /v1.

        model: The id under which all of them serve one model.

        dialect: What they understand.
    """

    def __init__(
        self,
        settings: VerifierSettings,
        *,
        addresses: Sequence[str],
        model: str,
        dialect: Dialect,
    ) -> None:
        self._settings = settings
        self._addresses = tuple(addresses)
        self._dialect = dialect
        self.tokens_spent = 0
        self.name = model
        self.settings_hash = content_id(
            "verifier",
            version=_ANSWER_VERSION,
            render=render_version(settings.panel_side),
            num_orders=settings.num_orders,
            order_seed=settings.order_seed,
            **{f"prompt_{task}": prompt_hash(task) for task in VerdictTask},
        )

    def verdict_id(self, question: Question) -> str:
        is_shown = question.task is not VerdictTask.GROUNDABILITY
        return verdict_id(
            task=question.task,
            subject_id=question.subject_id,
            judge=self.name,
            prompt=prompt_hash(question.task),
            render=render_version(self._settings.panel_side) if is_shown else "",
            order_seed=order_seed(question.subject_id, seed=self._settings.order_seed),
            num_orders=self._settings.num_orders,
        )

    async def judge(
        self, questions: Iterable[ShownQuestion]
    ) -> AsyncGenerator[Verdict | Failure, None]:
        """
        Yield one verdict or failure for each question, in any order; see `engine.ports.Verifier`.

        At most `max_in_flight` requests are under way. Questions are pulled on one thread of this
        call's own, so they may block; pictures are drawn on a few more. Connections, threads and
        requests end with the iteration: close the generator if you leave it early
        (`contextlib.aclosing`). Closing waits for a question that is being pulled.
        """
        prepared = prefetched(
            self._prepare,
            questions,
            num_threads=self._settings.cpu_threads,
            num_ahead=_PREPARED_AHEAD,
            initializer=draw_on_one_thread,
        )
        num_workers = self._settings.max_in_flight
        answers: asyncio.Queue[Verdict | Failure | Exception | None] = asyncio.Queue(num_workers)
        async with pulled(prepared) as source, opened(self._addresses, self._settings) as servers:
            workers = [
                asyncio.create_task(self._work(source, servers, answers))
                for _ in range(num_workers)
            ]
            try:
                num_working = num_workers
                while num_working:
                    answer = await answers.get()
                    if isinstance(answer, Exception):
                        raise answer
                    if answer is None:
                        num_working -= 1
                    else:
                        yield answer
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                self.tokens_spent += servers.num_tokens

    async def _work(
        self,
        source: Source[_Prepared | Failure],
        servers: Endpoints,
        answers: asyncio.Queue[Verdict | Failure | Exception | None],
    ) -> None:
        """Answer questions until there are no more; None, or what went wrong, comes last."""
        try:
            while (answer := await self._answer_next(source, servers)) is not None:
                await answers.put(answer)
        except Exception as error:  # the task that reads the answers raises it
            await answers.put(error)
        else:
            await answers.put(None)

    def _prepare(self, shown: ShownQuestion) -> _Prepared | Failure:
        """Draw and encode what the verifier sees. This runs on threads."""
        question = shown.question
        if question.task is VerdictTask.GROUNDABILITY:
            return _Prepared(question=question, image_url="")
        if shown.pixels_HWC is None:
            raise ValueError(f"question about {question.pair_id} has no image to show")
        side = self._settings.panel_side
        try:
            if question.task is VerdictTask.MASK:
                picture_HWC = render_mask(shown.pixels_HWC, question.masks[0], side=side)
            else:
                picture_HWC = render_boxes(shown.pixels_HWC, question.masks, side=side)
        except (ValueError, InvalidMaskError) as error:
            return _failure(question, "invalid_mask", str(error))
        return _Prepared(question=question, image_url=data_url(as_jpeg(picture_HWC)))

    async def _answer_next(
        self, source: Source[_Prepared | Failure], servers: Endpoints
    ) -> Verdict | Failure | None:
        """Answer one more question; None if there is none."""
        prepared = await source.next()
        if prepared is None or isinstance(prepared, Failure):
            return prepared
        try:
            return await self._verdict(prepared, servers)
        except FailedTryError as failed:
            return _failure(prepared.question, failed.reason, failed.detail)

    async def _verdict(self, prepared: _Prepared, servers: Endpoints) -> Verdict:
        """Ask in each order, one after the other: the later ones find the picture in the cache."""
        question = prepared.question
        num_orders = self._settings.num_orders
        seed = order_seed(question.subject_id, seed=self._settings.order_seed)
        started = time.monotonic()
        asked = [
            await ask(
                request_body(
                    question,
                    order,
                    image_url=prepared.image_url,
                    model=self.name,
                    dialect=self._dialect,
                ),
                task=question.task,
                order=order,
                endpoints=servers,
                patience_seconds=self._settings.patience_seconds,
            )
            for order in option_orders(question.task, seed=seed, num_orders=num_orders)
        ]
        return Verdict(
            task=question.task,
            subject_id=question.subject_id,
            pair_id=question.pair_id,
            judge=self.name,
            prompt=prompt_hash(question.task),
            render=render_version(self._settings.panel_side) if prepared.image_url else "",
            order_seed=seed,
            num_orders=num_orders,
            probabilities=tuple(sum(each) / num_orders for each in zip(*asked, strict=True)),
            seconds=time.monotonic() - started,
        )


def _failure(question: Question, reason: str, detail: str) -> Failure:
    return Failure(
        stage=STAGE,
        subject_id=question.subject_id,
        reason=reason,
        detail=f"{question.phrase!r} of pair {question.pair_id}: {detail}",
    )
