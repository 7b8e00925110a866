"""
A Sam3Tracker of about two million parameters: its configuration and its first weights.

It is a model of its own, with its own image encoder: people's clicks and the proposer's phrases
need other features. Masks are half the image's resolution. Width 128 is the least that the tracker
of videos (`models/sam3_tracker_video`) takes too: a multiple of 64, and more than 64.

Three things differ from transformers' own first weights, which are tuned for width 256 and more:

  layers      normal(0.02) starves the gradients; Xavier and Kaiming instead
  positions   clicks and cells are given two random codes of position; here they share one, as in
              every published checkpoint: without it a click says nothing about where it lies
  tokens      of masks, scores and kinds of click; wide apart instead of nearly equal

Source: transformers 5.23, `models/sam3_tracker/modeling_sam3_tracker.py`; SAM, arXiv 2304.02643.
"""

import json
from pathlib import Path

import torch
from torch import nn
from transformers import Sam3TrackerConfig, Sam3TrackerModel

IMAGE_SIZE = 96  # pixels; positions are baked into the weights, so images are resized to this

_PATCH_SIZE = 8
_GRID = IMAGE_SIZE // _PATCH_SIZE
_VISION_WIDTH, _VISION_LAYERS = 128, 4
_WIDTH = 128  # of neck, prompts and mask decoder: the classes need one width
_HEADS = 4
_SCALES = (4.0, 2.0, 1.0)  # of the pyramid; the first gives masks of 48 x 48
_TOKEN_DEVIATION = 0.5


def build_tracker_config() -> Sam3TrackerConfig:
    """Return the configuration."""
    return Sam3TrackerConfig(
        vision_config=_vision_config(),
        prompt_encoder_config={
            "hidden_size": _WIDTH,
            "image_size": IMAGE_SIZE,
            "patch_size": _PATCH_SIZE,
        },
        mask_decoder_config={
            "hidden_size": _WIDTH,
            "mlp_dim": 2 * _WIDTH,
            "num_attention_heads": _HEADS,
            "iou_head_hidden_dim": _WIDTH,
            # The three masks of an ambiguous click are taught for one click alone, so they must
            # not stand in for the one mask of several.
            "dynamic_multimask_via_stability": False,
        },
    )


def build_tracker() -> Sam3TrackerModel:
    """Return a model with first weights, drawn from torch's global generator."""
    model = Sam3TrackerModel(build_tracker_config())
    _initialise(model)
    return model


def save_tracker(model: Sam3TrackerModel, folder: Path) -> None:
    """Write a folder that transformers loads as it loads facebook/sam3."""
    model.save_pretrained(folder)
    preprocessing = {
        "image_processor_type": "Sam3ImageProcessor",
        "processor_class": "Sam3TrackerProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    text = json.dumps(preprocessing, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, "ascii")


def _vision_config() -> dict[str, object]:
    return {
        "model_type": "sam3_vision_model",
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": _VISION_WIDTH,
            "intermediate_size": 3 * _VISION_WIDTH,
            "num_hidden_layers": _VISION_LAYERS,
            "num_attention_heads": _HEADS,
            "image_size": IMAGE_SIZE,
            "pretrain_image_size": IMAGE_SIZE,
            "patch_size": _PATCH_SIZE,
            # The window also scales the rotary positions of global layers, so it is the grid.
            "window_size": _GRID,
            "global_attn_indexes": list(range(_VISION_LAYERS)),
        },
        "fpn_hidden_size": _WIDTH,
        "scale_factors": list(_SCALES),
        "backbone_feature_sizes": [[int(_GRID * scale)] * 2 for scale in _SCALES],
    }


@torch.no_grad()
def _initialise(model: Sam3TrackerModel) -> None:
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_TOKEN_DEVIATION)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(module.weight, a=1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.zeros_(model.prompt_encoder.no_mask_embed.weight)
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(
        model.shared_image_embedding.positional_embedding
    )
    for head in model.mask_decoder.output_hypernetworks_mlps:
        head.get_parameter("proj_out.weight").mul_(0.1)  # begin with faint masks
