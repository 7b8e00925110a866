"""
Clips as ordinary files, with masklets in the form of SA-Co/VEval.

  frames/0000012/00003.png   the frames of one seed
  truth.json                 videos, masklets and video-phrase pairs

Boxes and areas are pixels here, unlike in the files of images (README of `scripts/eval/veval`).
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from demo.world.clips import FRAMES_PER_SECOND, Clip, make_clip
from demo.world.phrases import PhraseTruth, Sampling, sample_phrases
from demo.world.scenes import PAPER, Domain, Scene
from demo.world.vocabulary import BASE
from engine.masks import encode

_SAMPLING = Sampling(vocabulary=BASE)


def write_clips(
    root: Path, *, seeds: Sequence[int], domain: Domain = PAPER, num_phrases: int = 4
) -> Path:
    """Write frames and truth below *root*, and return the path of the truth."""
    clips = [(seed, make_clip(seed, domain=domain)) for seed in seeds]
    for seed, clip in clips:
        folder = root / "frames" / f"{seed:07d}"
        folder.mkdir(parents=True, exist_ok=True)
        for index, frame_HW3 in enumerate(clip.frames_THW3):
            Image.fromarray(frame_HW3).save(folder / f"{index:05d}.png")
    truth = root / "truth.json"
    content = json.dumps(veval_file(clips, num_phrases=num_phrases), indent=1) + "\n"
    truth.write_bytes(content.encode())
    return truth


def veval_file(clips: Sequence[tuple[int, Clip]], *, num_phrases: int) -> dict[str, object]:
    """Return clips, with their seeds, in the form of SA-Co/VEval."""
    categories: dict[str, int] = {}
    annotations: list[dict[str, object]] = []
    pairs: list[dict[str, object]] = []
    for video_id, (seed, clip) in enumerate(clips, start=1):
        for truth in _asked(clip, seed, num_phrases):
            named = {
                "video_id": video_id,
                "category_id": categories.setdefault(truth.phrase, len(categories) + 1),
                "noun_phrase": truth.phrase,
            }
            pairs.append({"id": len(pairs) + 1, **named, "num_masklets": len(truth.indices)})
            for index in truth.indices:
                masklet = _masklet(clip, index)
                annotations.append({"id": len(annotations) + 1, **named, **masklet})
    return {
        "info": {"description": "concept world", "version": "1"},
        "videos": [_video(number, *one) for number, one in enumerate(clips, start=1)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "video_np_pairs": pairs,
    }


def _asked(clip: Clip, seed: int, num_phrases: int) -> list[PhraseTruth]:
    rng = random.Random(f"clip phrases/{seed}")
    # A phrase is true of a clip if it is true of a thing in any frame; which frame does not matter.
    whole = Scene(image_HW3=clip.frames_THW3[0], numbers_HW=clip.numbers_THW[0], things=clip.things)
    return sample_phrases(whole, rng, num=num_phrases, sampling=_SAMPLING)


def _video(video_id: int, seed: int, clip: Clip) -> dict[str, object]:
    num_frames, height, width = clip.numbers_THW.shape
    return {
        "id": video_id,
        "video_name": f"{seed:07d}",
        "file_names": [f"{seed:07d}/{index:05d}.png" for index in range(num_frames)],
        "height": height,
        "width": width,
        "length": num_frames,
        "fps": FRAMES_PER_SECOND,
    }


def _masklet(clip: Clip, index: int) -> dict[str, object]:
    """Frames in which the thing is not seen have null."""
    masks = encode(np.ascontiguousarray(clip.masklet(index)))
    height, width = clip.numbers_THW.shape[1:]
    seen = [mask if mask.area_pixels else None for mask in masks]
    return {
        "segmentations": [
            mask and {"counts": mask.counts, "size": [height, width]} for mask in seen
        ],
        "bboxes": [mask and list(mask.box_xywh) for mask in seen],
        "areas": [mask and mask.area_pixels for mask in seen],
        "iscrowd": 0,
        "height": height,
        "width": width,
    }
