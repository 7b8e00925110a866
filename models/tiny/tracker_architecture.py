"""
A Sam3Tracker of about two million parameters: its configuration and its first weights.

Its image encoder has the shape of the tiny proposer's, so that training can begin with what that
has learnt to see: in SAM 3 the two share it. The pyramid behind it is the tracker's own, there as
here. Masks are half the image's resolution. Width 128 is the least that the tracker of videos
(`models/sam3_tracker_video`) takes too: a multiple of 64, and more than 64.

Four things differ from transformers' own first weights, which are tuned for width 256 and more:

  layers      normal(0.02) starves the gradients; Xavier and Kaiming instead
  positions   clicks and cells are given two random codes of position; here they share one, as in
              every published checkpoint: without it a click says nothing about where it lies
  tokens      of masks, scores and kinds of click; wide apart instead of nearly equal
  attention   of clicks and cells to one another begins where their positions are alike: queries
              and keys are first projected in the same way instead of two random ones

Source: transformers 5.23, `models/sam3_tracker/modeling_sam3_tracker.py`; SAM, arXiv 2304.02643.
"""

import json
from pathlib import Path

import torch
from torch import nn
from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3VisionConfig
from transformers.models.sam3_tracker.modeling_sam3_tracker import Sam3TrackerAttention

from models.tiny.architecture import IMAGE_SIZE, build_config

_PATCH_SIZE = 8  # of the proposer's image encoder
_GRID = IMAGE_SIZE // _PATCH_SIZE
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
    """The proposer's image encoder, and a wider and finer pyramid behind it."""
    vision = build_config(vocabulary_size=1).vision_config
    assert isinstance(vision, Sam3VisionConfig)
    return {
        "model_type": "sam3_vision_model",
        "backbone_config": vision.backbone_config,
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
    for module in model.mask_decoder.transformer.modules():
        if isinstance(module, Sam3TrackerAttention) and module.internal_dim < module.hidden_size:
            module.k_proj.weight.copy_(module.q_proj.weight)  # those that attend to the other side
    for head in model.mask_decoder.output_hypernetworks_mlps:
        head.get_parameter("proj_out.weight").mul_(0.1)  # begin with faint masks
