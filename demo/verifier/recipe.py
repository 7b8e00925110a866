"""The recipe of a tiny verifier: everything but the code that its weights depend on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Steps of each phase, rates and weights of losses; see `demo.verifier.run`."""

    seed: int = 0
    teach_steps: int = 1_000
    see_steps: int = 5_000
    answer_steps: int = 4_500
    settle_steps: int = 6_500
    pictures: int = 8  # in a step
    rate: float = 1.2e-3
    settle_rate: float = 0.5  # of the rate, when settling begins
    last_rate: float = 0.02  # of the rate, at the very end
    offered_share: float = 0.5  # of the lessons while settling: masks that the proposer offers
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    average_decay: float = 0.997
    most_gradient: float = 2.0  # norm at which gradients are cut
    patch_weight: float = 0.5  # of the losses on patches, beside the answers
    match_weight: float = 2.0
    imitation_weight: float = 2.0

    @property
    def num_steps(self) -> int:
        return self.teach_steps + self.see_steps + self.answer_steps + self.settle_steps

    def phase(self, step: int) -> str:
        """Return what is learnt in *step*."""
        for name in ("teach", "see", "answer"):
            step -= getattr(self, f"{name}_steps")
            if step < 0:
                return name
        return "settle"

    def rate_at(self, step: int) -> float:
        """Return the learning rate: a rise, a plain, and a fall while settling."""
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        settled = step - (self.num_steps - self.settle_steps)
        if settled < 0:
            return self.rate * rise
        share = settled / max(1, self.settle_steps)
        return self.rate * rise * (self.settle_rate + (self.last_rate - self.settle_rate) * share)
