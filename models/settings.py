"""
Which proposer a worker loads, and how it runs.

  setting          default  unit         source
  score_threshold  0.3      probability  detection_threshold of SAM 3's evaluation dump, and the
                                         default of transformers' post-processing; the metrics
                                         apply their own 0.5 afterwards. There it is on presence *
                                         query score: see `models.selection.best_queries`
  presence_floor   0.01     probability  docs/performance.md: with the tiny weights it costs no more
                                         than 0.42 masks for an absent phrase. It spares the masks
                                         of phrases that are plainly not there
  max_proposals    200      masks        SAM 3 has 200 object queries (paper, C.2)
  iom_threshold    0.5      share        SAM 3 paper, F.4: overlap with the smaller mask
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from engine.ids import content_id

BUNDLED_WEIGHTS = Path(__file__).parent / "tiny" / "proposer"
BUNDLED_CLICKER_WEIGHTS = Path(__file__).parent / "tiny" / "tracker"

_ANSWER_VERSION = 1  # goes up when the code gives other masks for the same settings


class ProposerSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of the proposer. The first group changes its answers, the second only its speed."""

    weights: str = Field(
        default=str(BUNDLED_WEIGHTS),
        description="Folder with Sam3 weights, or an id on the Hugging Face hub: facebook/sam3.",
    )

    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Number format. auto: bfloat16 on GPUs that have it, else float32.",
    )

    score_threshold: float = Field(
        default=0.3,
        ge=0,
        lt=1,
        description="Masks with a query score above this are proposed, whatever the presence.",
    )

    presence_floor: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Nothing is proposed for a phrase whose presence is below this.",
    )

    max_proposals: int = Field(
        default=200, ge=1, description="At most this many masks for one pair, best first."
    )

    iom_threshold: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="A mask goes if its intersection with a better one is more than this share "
        "of the smaller of the two. 1 keeps all.",
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs. auto: the GPU if there is one."
    )

    prompts_per_batch: int = Field(
        default=16, ge=1, description="Prompts decoded at once. Lower it if memory runs out."
    )

    cpu_threads: int = Field(
        default=2,
        ge=1,
        description="Threads for each piece of work beside the model: reading images, resizing "
        "them, encoding masks.",
    )

    images_ahead: int = Field(
        default=8, ge=1, description="Resized images that wait for the model, at most."
    )

    def answer_hash(self, precision: str) -> str:
        """Return a hash of everything here that changes the answers, at the *precision* in use."""
        return content_id(
            "inference",
            version=_ANSWER_VERSION,
            precision=precision,
            score_threshold=self.score_threshold,
            presence_floor=self.presence_floor,
            max_proposals=self.max_proposals,
            iom_threshold=self.iom_threshold,
        )


class ClickerSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of the model that makes masks from people's clicks and boxes."""

    weights: str = Field(
        default=str(BUNDLED_CLICKER_WEIGHTS),
        description="Folder with Sam3Tracker weights, or an id on the Hugging Face hub: "
        "facebook/sam3.",
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs. auto: the GPU if there is one."
    )

    cached_images: int = Field(
        default=32,
        ge=1,
        description="Images whose features are kept for the next click, at most. One takes 0.3 MB "
        "with the bundled weights and 21 MB with facebook/sam3.",
    )


class TrainingSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of trainings of the proposer."""

    preset: Literal["auto", "tiny", "sam3"] = Field(
        default="auto",
        description="Recipe to begin with, see models/training/recipes.py. auto: by the model's "
        "size.",
    )

    recipe: dict[str, Any] = Field(
        default={},
        description='What of the recipe differs: {"rate": 1e-4, "losses": {"presence": 10}}.',
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where training runs. auto: the GPU if there is one."
    )

    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Number format of training. auto: bfloat16 on GPUs that have it, else float32.",
    )

    checkpoint_steps: int = Field(
        default=100,
        ge=1,
        description="Steps between two checkpoints: what a kill costs at most.",
    )

    threads: int = Field(
        default=1, ge=1, description="Threads that make batches ahead of the model."
    )

    tensorboard: bool = Field(
        default=False,
        description="Write event files beside the losses; needs the package tensorboard.",
    )
