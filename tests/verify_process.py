"""
A verify worker in a process of its own, to be killed: `python -m tests.verify_process URL`.

Its verifier is a named double that takes a moment for each answer.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from io import BytesIO

from PIL import Image

from db.session import make_engine
from engine.ports import ShownQuestion
from engine.records import Failure
from engine.verdicts import OPTIONS, Option, Question, Verdict
from flows.drain import Worker, drain
from flows.inquiries import inquiry_of
from flows.jobs import ExhaustivityJob, MaskJob
from flows.settings import ShardSettings
from tests.doubles import FakeVerifier, MemoryReader

NUM_MEDIA = 60
LEASE_SECONDS = 2.0
PAIRS_PER_SHARD = 8
ANSWER_SECONDS = 0.003


class SlowVerifier(FakeVerifier):
    """Answers by the question's id alone, and now and then not at all."""

    def __init__(self) -> None:
        super().__init__(by_id)

    async def judge(self, questions: Iterable[ShownQuestion]) -> AsyncIterator[Verdict | Failure]:
        async for answer in super().judge(questions):
            await asyncio.sleep(ANSWER_SECONDS)
            yield answer


def by_id(question: Question) -> Option | None:
    number = sum(question.subject_id.encode())
    options = OPTIONS[question.task]
    return None if number % 31 == 0 else options[number % len(options)]


def media_ids() -> list[str]:
    return [f"media_{number:02}" for number in range(NUM_MEDIA)]


def main(url: str) -> None:
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    readable = dict.fromkeys(media_ids()[1:], file.getvalue())  # the first one is gone
    engine = make_engine(url)
    shards = ShardSettings(pairs_per_shard=PAIRS_PER_SHARD, lease_seconds=LEASE_SECONDS)
    worker = Worker(name=uuid.uuid4().hex, engine=engine, shards=shards)

    async def work() -> None:
        for job in (MaskJob, ExhaustivityJob):
            inquiry = inquiry_of(
                SlowVerifier(), MemoryReader(readable), engine=engine, cpu_threads=1
            )
            await drain(job(engine=engine, inquiry=inquiry), worker)

    asyncio.run(work())


if __name__ == "__main__":
    main(sys.argv[1])
