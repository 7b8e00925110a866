"""
What the gate asks of a candidate. Points are hundredths of cgF1, as papers print it.

  setting            default  unit    source
  min_gain           0        points  any gain is one, if its interval says that it is no chance
  node_loss          5        points  a node's interval over 40 pairs is some 10 points wide: a
                                      smaller loss cannot be told from chance
  kept_loss          3        points  what a model may forget of old concepts
  node_pairs         20       pairs   below, only a collapse shows
  bootstrap_samples  1000     draws   the tails of the interval rest on 25 draws each
"""

from pydantic import BaseModel, Field

from engine.gate import GateRules


class GateSettings(BaseModel, extra="forbid", frozen=True):
    """What is asked of a candidate before it takes the champion's place."""

    min_gain: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Points of cgF1 above which the 95 % interval of a candidate's gain must lie.",
    )

    node_loss: float = Field(
        default=5.0,
        ge=0,
        le=100,
        description="Points that a candidate may lose on a concept, where the loss is no chance.",
    )

    kept_loss: float = Field(
        default=3.0,
        ge=0,
        le=100,
        description="Points of cgF1 that a candidate may lose at most, with 95 % confidence, on "
        "snapshots that are given to be kept.",
    )

    node_pairs: int = Field(
        default=20,
        ge=1,
        description="Positive or negative pairs from which on a concept is judged by itself.",
    )

    bootstrap_samples: int = Field(
        default=1000, ge=100, le=100_000, description="Draws of media behind each 95 % interval."
    )

    seed: int = Field(default=0, description="Seed of these draws.")

    @property
    def rules(self) -> GateRules:
        """The same for the engine, which measures cgF1 in [0, 1]."""
        return GateRules(
            min_gain=self.min_gain / 100,
            node_loss=self.node_loss / 100,
            kept_loss=self.kept_loss / 100,
            node_pairs=self.node_pairs,
            bootstrap_samples=self.bootstrap_samples,
            seed=self.seed,
        )
