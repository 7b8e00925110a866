"""
A worker's life: claim a shard, work, write once, again until nothing is missing.

Results, state changes and the lease's end are one transaction. A worker that dies anywhere loses
nothing: its lease runs out and another claims the shard. A worker that lost its lease while
computing throws its results away, because somebody else is at it.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.costs import add_cost
from db.planning import plan_shards
from db.session import transaction
from db.shards import ClaimedShard, claim_shard, finish_shard, release_shard, renew_lease
from engine.errors import ConfigError, LeaseLostError, PermanentError, TransientError
from engine.phases import Phase
from flows.heartbeat import BEATS_PER_LEASE, repeated
from flows.settings import ShardSettings

log = logging.getLogger(__name__)

_WAIT_SECONDS = (1.0, 5.0, 30.0)  # after the first, second and third time something is unreachable
_MAX_BROKEN_IN_A_ROW = 3  # then it is the worker and not the shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What came of one shard."""

    counts: Mapping[str, int]
    write: Callable[[Session], None]  # adds the facts; called once, with the end of the shard
    tokens: int = 0  # that verifiers read and wrote for it


class Job(Protocol):
    """A stage with everything that it needs, loaded once."""

    @property
    def stage(self) -> str: ...

    @property
    def key(self) -> str:
        """Whose answers these are: another model or other settings are other work."""
        ...

    async def work(self, pair_ids: Sequence[str]) -> Results:
        """
        Work on the pairs of one shard, without writing anything.

        Raises:
            TransientError: If something is out of reach now.
            ConfigError: If the worker is set up wrongly: no other shard would do better.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who drains, and where."""

    name: str  # under which leases are held
    engine: Engine
    shards: ShardSettings
    phase: Phase | None = None  # whose pairs it works on; None: all
    device: str = ""  # where its model computes: "cpu" or "cuda"; "" where a server has the model


async def drain(job: Job, worker: Worker) -> Counter[str]:
    """
    Plan what *job* has not answered, work until none of it can be claimed, and return the counts.

    What cannot be reached is tried again after a wait. A shard that breaks the work in another way
    keeps its lease until it runs out, so that the rest goes on and the attempt counts: a shard
    that does so again and again is set aside (`db.shards`).

    Raises:
        TransientError: If something stayed out of reach over all waits.
        PermanentError: If shards broke the work: at the end, or after three in a row.
    """
    _plan(job, worker)
    counts: Counter[str] = Counter()
    waits, broken_in_a_row, broken = iter(_WAIT_SECONDS), 0, []
    while broken_in_a_row < _MAX_BROKEN_IN_A_ROW and (shard := _claim(job, worker)):
        try:
            counts += await _work_off(shard, job, worker)
            waits, broken_in_a_row = iter(_WAIT_SECONDS), 0
        except TransientError as error:
            if (seconds := next(waits, None)) is None:
                raise
            log.warning("out of reach, waiting", extra={"reason": str(error), "seconds": seconds})
            await asyncio.sleep(seconds)
        except ConfigError:
            raise
        except Exception:
            # The border of one shard's work: whatever is wrong with it must not stop the others.
            log.exception("shard broken", extra={"shard": shard.id})
            broken_in_a_row += 1
            broken.append(shard.id)
    if broken:
        msg = f"shards {', '.join(broken)} could not be worked off, see the log"
        raise PermanentError(f"{msg}; they are tried again when their leases have run out")
    return counts


def _plan(job: Job, worker: Worker) -> None:
    with transaction(worker.engine) as session:
        plan_shards(
            session,
            stage=job.stage,
            key=job.key,
            pairs_per_shard=worker.shards.pairs_per_shard,
            phase=worker.phase,
        )


def _claim(job: Job, worker: Worker) -> ClaimedShard | None:
    with transaction(worker.engine) as session:
        return claim_shard(
            session,
            stage=job.stage,
            key=job.key,
            worker=worker.name,
            lease_seconds=worker.shards.lease_seconds,
            phase=worker.phase,
        )


async def _work_off(shard: ClaimedShard, job: Job, worker: Worker) -> Counter[str]:
    """Work on one shard and write what came out; give the shard back if that is cut short."""
    started = time.monotonic()
    try:
        with renewal(shard, worker):
            await asyncio.sleep(0)  # a stage that computes gives nobody else a turn
            results = await job.work(shard.pair_ids)
        seconds = time.monotonic() - started
        with transaction(worker.engine) as session:
            results.write(session)
            add_cost(
                session,
                shard,
                worker=worker.name,
                seconds=seconds,
                device=worker.device,
                tokens=results.tokens,
            )
            finish_shard(session, shard)
    except LeaseLostError:
        log.warning("lease lost, results thrown away", extra={"shard": shard.id})
        return Counter({"shards_lost": 1})
    except (
        *(TransientError, ConfigError),
        *(KeyboardInterrupt, SystemExit, asyncio.CancelledError),
    ):
        _give_back(shard, worker)  # it is not the shard's fault: the attempt does not count
        raise
    counts = {"shards": 1, **results.counts}
    took = round(time.monotonic() - started, 2)
    log.info("shard done", extra={"shard": shard.id, "seconds": took, **counts})
    return Counter(counts)


def _give_back(shard: ClaimedShard, worker: Worker) -> None:
    """Let others claim *shard* at once; if the database is gone, the lease runs out by itself."""
    with contextlib.suppress(TransientError), transaction(worker.engine) as session:
        release_shard(session, shard)


@contextlib.contextmanager
def renewal(shard: ClaimedShard, worker: Worker) -> Iterator[None]:
    """Renew the lease in the background while the block runs."""
    lease_seconds = worker.shards.lease_seconds

    def renew() -> None:
        with transaction(worker.engine) as session:
            renew_lease(session, shard, lease_seconds=lease_seconds)

    with repeated(renew, every_seconds=lease_seconds / BEATS_PER_LEASE):
        yield
