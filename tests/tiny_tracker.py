"""A Sam3Tracker of the bundled size with first, untrained weights; and a whole SAM 3 around one."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    Sam3TrackerModel,
    Sam3TrackerVideoConfig,
    Sam3VideoConfig,
    Sam3VideoModel,
)

from models.tiny.architecture import build_config
from models.tiny.tracker_architecture import build_tracker, build_tracker_config

WIDTH = 128


def untrained_tracker(*, seed: int = 0) -> Sam3TrackerModel:
    """Return a model with first weights, ready for inference."""
    torch.manual_seed(seed)
    return build_tracker().eval().requires_grad_(False)


def save_whole_sam3(folder: Path, *, seed: int = 0) -> Path:
    """Save a model in the layout of facebook/sam3, detector and tracker of videos side by side."""
    torch.manual_seed(seed)
    model = Sam3VideoModel(whole_sam3_config())
    # Zero at first: a tracker that forgot to add it would not be noticed.
    torch.nn.init.normal_(model.tracker_model.no_memory_embedding)
    model.config.save_pretrained(folder)
    # transformers 5.23 saves the tracker's tensors under a doubled prefix, which nothing reads.
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def whole_sam3_config() -> Sam3VideoConfig:
    """Return a small one: one width everywhere, and four levels of the pyramid as published."""
    tracker = build_tracker_config().to_dict()
    vision = tracker["vision_config"]
    vision["scale_factors"] = [4.0, 2.0, 1.0, 0.5]
    detector = build_config(600).to_dict()
    detector["vision_config"] = vision
    for part in ("geometry_encoder", "detr_encoder", "detr_decoder", "mask_decoder"):
        detector[f"{part}_config"]["hidden_size"] = WIDTH
    return Sam3VideoConfig(
        detector_config=detector,
        tracker_config=Sam3TrackerVideoConfig(
            vision_config=vision,
            prompt_encoder_config=_without_type(tracker["prompt_encoder_config"]),
            mask_decoder_config=_without_type(tracker["mask_decoder_config"]),
            image_size=vision["backbone_config"]["image_size"],
            memory_attention_hidden_size=WIDTH,
            memory_attention_feed_forward_hidden_size=WIDTH,
            memory_attention_num_layers=1,
            memory_encoder_hidden_size=WIDTH,
            mask_downsampler_embed_dim=WIDTH,
            memory_fuser_embed_dim=WIDTH,
            memory_fuser_intermediate_dim=WIDTH,
        ).to_dict(),
    )


def _without_type(config: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in config.items() if name != "model_type"}
