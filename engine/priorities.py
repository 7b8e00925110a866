"""
What comes first in a queue: the expected gain per second of a person's time.

    priority = uncertainty * rarity * need / seconds

  uncertainty   how open the question is: 1 where the judge has no idea, near 0 where it is sure
  rarity        1 / sqrt(1 + pairs of the phrase that are finished): the tenth apple teaches less
                than the first durian
  need          quota of the pair's domain over its share of what is finished, within [1/4, 4]
  seconds       that the queue's questions take, measured; before that, the values below

Each factor is a rule of thumb of ours: what the SAM 3 engine orders its queues by is unpublished.
Uncertainty is the entropy of the judge's answer over its maximum (uncertainty sampling: Lewis and
Gale, 1994); balancing by finished counts follows the paper's appendix D.5.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from engine.queues import Asked

# A floor: the judge may be sure and wrong, and every question is answered some day.
LEAST_UNCERTAINTY = 0.02
MOST_NEED = 4.0

# Before any was measured. From the times of the SAM 3 engine (paper, A.4: 6 s for a negative pair,
# 30 s with people alone, 152 to 236 s for a positive one), split by us.
SECONDS: Mapping[Asked, float] = MappingProxyType(
    {
        Asked.MASK: 6.0,
        Asked.EXHAUSTIVITY: 10.0,
        Asked.GROUNDABILITY: 4.0,
        Asked.CORRECTION: 120.0,
    }
)


def priority(*, uncertainty: float, num_finished: int, need: float, seconds: float) -> float:
    """
    Return how early a question is asked; higher is earlier.

    Args:
        uncertainty: In [0, 1], see `entropy_share`.

        num_finished: Pairs of the same phrase that are finished.

        need: See `domain_need`.

        seconds: Of a person's time, above 0.
    """
    rarity = 1.0 / math.sqrt(1.0 + num_finished)
    return max(uncertainty, LEAST_UNCERTAINTY) * rarity * need / seconds


def entropy_share(probabilities: Sequence[float]) -> float:
    """Return the entropy of *probabilities* over that of a uniform one, in [0, 1]; none: 1."""
    if len(probabilities) < 2:
        return 1.0
    nats = -sum(p * math.log(p) for p in probabilities if p > 0)
    return min(1.0, nats / math.log(len(probabilities)))


def domain_need(domain: str, finished: Mapping[str, int], *, quotas: Mapping[str, float]) -> float:
    """
    Return how much more of *domain* is wanted, within [1/4, 4]; 1 where its share is its quota.

    Args:
        domain: Of the pair.

        finished: Finished pairs by domain.

        quotas: Wanted share by domain, in [0, 1]. Domains without one share the rest equally.
    """
    domains = {domain, *finished, *quotas}
    others = len(domains - set(quotas))
    quota = quotas.get(domain, max(0.0, 1.0 - sum(quotas.values())) / max(1, others))
    # One pair more for each domain: nothing is divided by zero, and a start is balanced.
    share = (finished.get(domain, 0) + 1) / (sum(finished.values()) + len(domains))
    return min(MOST_NEED, max(1.0 / MOST_NEED, quota / share))
