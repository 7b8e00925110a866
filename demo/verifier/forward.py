"""
The verifier's forward pass on packed questions, with what the auxiliary losses look at.

Letters: B pictures, P patches, L tokens, Q questions, C channels, S side of a picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from demo.verifier.packing import Packed
from engine.ports import ImageArray
from verifiers.tiny.architecture import NUM_PATCHES

_EARLY_LAYER = 2  # of the tower: what a teacher's early features are compared with
_MATCH_LAYER = 2  # of the language model: after it a phrase has found its patches
_PICTURE = slice(2, 2 + NUM_PATCHES)  # places of the picture's tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Features of pictures."""

    early_BPC: Tensor
    late_BPC: Tensor  # what the language model gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the language model makes of questions."""

    logits_QV: Tensor
    phrases_QC: Tensor  # the end of each phrase, at the layer where it is matched
    patches_QPC: Tensor  # the patches of its picture, at the same layer


def see(model: LlavaForConditionalGeneration, pictures_B3SS: Tensor) -> Seen:
    """Return the features of pictures, as the language model gets them."""
    found = model.model.vision_tower(pictures_B3SS, output_hidden_states=True)
    # The last hidden state and not the normalised output: LLaVA's vision_feature_layer is -1.
    late_BPC = model.model.multi_modal_projector(found.hidden_states[-1])
    return Seen(early_BPC=found.hidden_states[_EARLY_LAYER], late_BPC=late_BPC)


def answer(model: LlavaForConditionalGeneration, seen: Seen, packed: Packed) -> Answered:
    """Return the logits of every question's next token."""
    embedded_BLC = model.get_input_embeddings()(packed.ids_BL)
    before, after = embedded_BLC[:, : _PICTURE.start], embedded_BLC[:, _PICTURE.stop :]
    found = model.model.language_model(
        inputs_embeds=torch.cat([before, seen.late_BPC, after], 1),
        attention_mask=packed.mask_B1LL,
        position_ids=packed.positions_BL,
        output_hidden_states=True,
        use_cache=False,
    )
    matched_BLC = found.hidden_states[_MATCH_LAYER]
    asked_QC = found.last_hidden_state[packed.sequence_Q, packed.asked_Q]
    return Answered(
        logits_QV=model.lm_head(asked_QC),
        phrases_QC=matched_BLC[packed.sequence_Q, packed.phrase_Q],
        patches_QPC=matched_BLC[packed.sequence_Q, _PICTURE],
    )


def as_tensor(pictures: list[ImageArray]) -> Tensor:
    """Return pictures as the processor gives them, shape (B, 3, S, S), -1 to 1."""
    stacked_B3SS = torch.stack([torch.from_numpy(picture.copy()) for picture in pictures])
    return stacked_B3SS.permute(0, 3, 1, 2).float() / 127.5 - 1
