"""
The recipe of a training: everything but the data and the code that the weights depend on.

Two presets, chosen by the size of the model that training begins with. Their numbers:

  field             tiny           sam3           source of sam3; reason of tiny
  rates             1e-3           8e-5           released trainer: 0.1 * (8e-4 transformer, 2.5e-4
    vision          * 1            * 0.3125       vision, 5e-5 text), layer decay 0.9. A tiny model
    text            * 1            * 0.0625       must learn to see what it never saw, so all of it
    embeddings      * 8            * 1            moves alike; the embeddings of its new words begin
    layer decay     1              0.9            at random and are seldom seen, so they move faster
  schedule          cosine         inverse root   paper, C.4: warm-up and cool-down
  losses            TINY_LOSSES    LossWeights()  released trainer, see `losses`
    presence        5              20             of 5, 8 and 16, found by trial: with more, phrases
                                                  of old words are said to be there too often
  alignment         1              0              reaches the image encoder without matching, which
                                                  a model that knows few things needs
  average           0.99           0              EMA: steadier; costs the size of the model
  parent's share    0.12           0              what few steps cost the old concepts comes back,
                                                  see `run.ProposerRun.finished`
  boxes             0.1            0.36           paper, C.4: 0.2 to be asked by boxes alone and 0.2
    alone           0.4            0.56           to have boxes beside the phrase. One batch shows
                                                  boxes for all of its pairs or for none
  images, phrases   4, 4           1, 16          a step of a quarter of a second on one core;
                                                  released trainer: batch 1

`training_recipe` takes the preset that fits and what the settings say otherwise.
"""

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from models.training.losses import LossWeights
from models.training.views import Augmentation

_TINY_PARAMETERS = 20_000_000

# Found by trial for this size. The paper's weights are for a model that can already see, and its
# targets of the query score are too low to pass a threshold of 0.5 before masks are nearly exact.
TINY_LOSSES = LossWeights(
    presence=8.0,
    query=4.0,
    box_l1=5.0,
    box_giou=2.0,
    mask_focal=60.0,
    mask_dice=4.0,
    semantic=8.0,
    semantic_dice=2.0,
    query_positive=1.0,
    query_alpha=0.0,
    query_iou_power=0.5,
    absent_pairs=0.25,
    mask_alpha=0.5,
)


class Schedule(StrEnum):
    """How the learning rate falls after its rise."""

    COSINE = "cosine"
    INVERSE_ROOT = "inverse_root"  # falls slowly, then in a line to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerRecipe:
    """How a proposer is trained."""

    preset: str
    seed: int = 0
    num_steps: int
    images_per_batch: int
    parts: int = 1  # of a batch, whose gradients add up: a large batch in a small memory
    phrases_per_image: int  # at most
    present_share: float = 0.5  # of these phrases, where an image has enough of both kinds
    replay_share: float = 0.5  # of the images, from the second set where there is one
    rate: float
    vision_rate: float = 1.0  # times the rate
    text_rate: float = 1.0
    embedding_rate: float = 1.0
    layer_decay: float = 1.0  # of the rate, from each layer of the image encoder to the one below
    weight_decay: float
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Schedule
    warm_up_steps: int
    cool_down_steps: int = 0
    average_decay: float = 0.0  # 0: the last weights, no average
    parent_share: float = 0.0  # of what training began with, in the weights that are kept
    most_gradient: float  # norm at which gradients are cut
    losses: LossWeights
    alignment_weight: float = 0.0
    exemplar_share: float  # of the batches: pairs are shown by boxes
    visual_share: float  # of their pairs: by boxes alone
    box_noise: float  # deviation, as a share of the box
    augmentation: Augmentation = field(default_factory=Augmentation)
    target_side: int  # pixels of the target masks

    def as_json(self) -> dict[str, object]:
        """Return the recipe as JSON can hold it."""
        return {**asdict(self), "betas": list(self.betas), "schedule": self.schedule.value}


TINY = ProposerRecipe(
    preset="tiny",
    num_steps=800,
    images_per_batch=4,
    phrases_per_image=4,
    rate=1e-3,
    embedding_rate=8.0,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    schedule=Schedule.COSINE,
    warm_up_steps=30,
    average_decay=0.99,
    parent_share=0.12,
    most_gradient=2.0,
    losses=replace(TINY_LOSSES, presence=5.0),
    alignment_weight=1.0,
    exemplar_share=0.1,
    visual_share=0.4,
    box_noise=0.02,
    augmentation=Augmentation(synonym_share=0.05, ancestor_share=0.0),
    target_side=48,
)

SAM3 = ProposerRecipe(
    preset="sam3",
    num_steps=2000,
    images_per_batch=1,
    phrases_per_image=16,
    rate=8e-5,
    vision_rate=0.3125,
    text_rate=0.0625,
    layer_decay=0.9,
    weight_decay=0.1,
    schedule=Schedule.INVERSE_ROOT,
    warm_up_steps=20,
    cool_down_steps=20,
    most_gradient=0.1,
    losses=LossWeights(mask_points=12_544, one_to_many=2.0),
    exemplar_share=0.36,
    visual_share=0.56,
    box_noise=0.1,
    augmentation=Augmentation(flip_vertical=0.0, smallest_window=0.7),
    target_side=288,
)


def preset_for(num_parameters: int) -> ProposerRecipe:
    """Return the preset for a model of this size."""
    return TINY if num_parameters < _TINY_PARAMETERS else SAM3
