"""
A worker's life: claim a shard, propose, write once, again until nothing is missing.

Results, state changes and the lease's end are one transaction. A worker that dies anywhere loses
nothing: its lease runs out and another claims the shard. A worker that lost its lease while
computing throws its results away, because somebody else is at it.
"""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from db.failures import add_failures
from db.pairs import pairs_by_id
from db.planning import proposer_key
from db.proposals import add_proposal_sets
from db.session import transaction
from db.shards import (
    ClaimedShard,
    claim_shard,
    finish_shard,
    release_shard,
    renew_lease,
)
from engine.errors import ConfigError, LeaseLostError, PermanentError, TransientError
from engine.ports import MediaReader, Proposer
from engine.records import Prompt
from engine.stages.propose import propose
from flows.heartbeat import BEATS_PER_LEASE, repeated

log = logging.getLogger(__name__)

STAGE = "propose"
_WAIT_SECONDS = (1.0, 5.0, 30.0)  # after the first, second and third time something is unreachable
_MAX_BROKEN_IN_A_ROW = 3  # then it is the worker and not the shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a worker loads once."""

    engine: Engine
    proposer: Proposer
    reader: MediaReader
    lease_seconds: float
    cpu_threads: int  # that read and decode images


def drain(resources: Resources, *, worker: str) -> Counter[str]:
    """
    Work until no shard of this proposer can be claimed, and return the counts of what was done.

    What cannot be reached is tried again after a wait. A shard that breaks the work in another way
    keeps its lease until it runs out, so that the rest goes on and the attempt counts: a shard
    that does so again and again is set aside (`db.shards`).

    Args:
        resources: The loaded proposer, the database and the media.

        worker: The id under which leases are held.

    Raises:
        TransientError: If something stayed out of reach over all waits.
        PermanentError: If shards broke the work: at the end, or after three in a row.
    """
    counts: Counter[str] = Counter()
    waits, broken_in_a_row, broken = iter(_WAIT_SECONDS), 0, []
    while broken_in_a_row < _MAX_BROKEN_IN_A_ROW and (shard := _claim(resources, worker)):
        try:
            counts += _work_off(shard, resources)
            waits, broken_in_a_row = iter(_WAIT_SECONDS), 0
        except TransientError as error:
            if (seconds := next(waits, None)) is None:
                raise
            log.warning("out of reach, waiting", extra={"reason": str(error), "seconds": seconds})
            time.sleep(seconds)
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


def shard_key(proposer: Proposer) -> str:
    """Return what names the work of *proposer*: other weights or settings are other work."""
    return proposer_key(proposer=proposer.name, inference_settings=proposer.inference_settings)


def _claim(resources: Resources, worker: str) -> ClaimedShard | None:
    with transaction(resources.engine) as session:
        return claim_shard(
            session,
            stage=STAGE,
            key=shard_key(resources.proposer),
            worker=worker,
            lease_seconds=resources.lease_seconds,
        )


def _work_off(shard: ClaimedShard, resources: Resources) -> Counter[str]:
    """Propose for one shard and write what came out; give the shard back if that is cut short."""
    started = time.monotonic()
    try:
        with transaction(resources.engine) as session:
            pairs = pairs_by_id(session, shard.pair_ids)
        with renewal(shard, resources):
            prompts = [Prompt(pair=pair) for pair in pairs]
            output = propose(
                prompts,
                proposer=resources.proposer,
                media=resources.reader,
                num_threads=resources.cpu_threads,
                images_ahead=2 * resources.cpu_threads,
            )
        with transaction(resources.engine) as session:
            add_proposal_sets(session, output.items)
            add_failures(session, output.failures, key=shard.key)
            finish_shard(session, shard)
    except LeaseLostError:
        log.warning("lease lost, results thrown away", extra={"shard": shard.id})
        return Counter({"shards_lost": 1})
    except (TransientError, ConfigError, KeyboardInterrupt, SystemExit):
        _give_back(shard, resources)  # it is not the shard's fault: the attempt does not count
        raise
    counts = {
        "shards": 1,
        "pairs": len(output.items),
        "masks": sum(len(found.proposals) for found in output.items),
        "failed": len(output.failures),
    }
    seconds = round(time.monotonic() - started, 2)
    log.info("shard done", extra={"shard": shard.id, "seconds": seconds, **counts})
    return Counter(counts)


def _give_back(shard: ClaimedShard, resources: Resources) -> None:
    """Let others claim *shard* at once; if the database is gone, the lease runs out by itself."""
    with contextlib.suppress(TransientError), transaction(resources.engine) as session:
        release_shard(session, shard)


@contextlib.contextmanager
def renewal(shard: ClaimedShard, resources: Resources) -> Iterator[None]:
    """Renew the lease in the background while the block runs."""

    def renew() -> None:
        with transaction(resources.engine) as session:
            renew_lease(session, shard, lease_seconds=resources.lease_seconds)

    with repeated(renew, every_seconds=resources.lease_seconds / BEATS_PER_LEASE):
        yield
