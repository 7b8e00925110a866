"""
How much of the proposer's time is the model's own.

End to end is the propose stage: from the bytes of JPEGs to checked run lengths without duplicates.
The bare forward encodes the image once and all phrases in one batch, with phrases already encoded,
and throws its outputs away. One call per phrase is what a first script does: `Sam3Model` on image
and phrase, 16 times.

  where      model                                                        numbers
  GPU        facebook/sam3's configuration, first weights                 bfloat16
  CPU        the same with 16 of 32 vision layers and 1 layer in every    bfloat16 where the
             other part, so that an image still costs about 11 times      processor has it
             what a phrase costs (about 13 at full size, counted in
             operations); of the calls per phrase one is timed, times 16

The weights are untrained, so scores mean nothing: the best 4 masks of each phrase are encoded
(SA-Co/HQ has 3.1 masks per positive phrase). Untrained masks are noise, with more runs than any
mask of a thing; in all three ways the model's output carries ellipses in their place.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torch import nn
from transformers import CLIPTokenizer, PreTrainedConfig, Sam3Config, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling

from benchmarks.rows import Row, at_least, at_most, print_rows
from engine.images import decode_rgb
from engine.ports import PromptedImage
from engine.records import Pair, Prompt
from engine.stages.propose import propose
from models.image_features import of_images
from models.preprocessing import normalise, resize
from models.prompt_inputs import PhraseFeatures
from models.roi_align import install
from models.sam3_image import Sam3Proposer
from models.settings import ProposerSettings
from models.tiny.architecture import build_model, build_tokenizer

PHRASES = tuple(
    f"{colour} {shape}"
    for colour in ("red", "green", "blue", "black")
    for shape in ("circle", "square", "star", "cup")
)
MASKS_PER_PHRASE = 4
PHOTO_SIZE = (1920, 1080)
SMALL_SIZE = (320, 240)
SHARE_GOAL = 0.95
SPEED_UP_GOAL = 6.0
NUM_STREAMED = 5_000
NUM_WARM = 500  # images after which caches and pools have their size
GROWTH_GOAL_MB = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One model, and how much of it to measure."""

    label: str
    model: Sam3Model
    tokenizer: CLIPTokenizer
    precision: str
    image_size: tuple[int, int]  # width and height in pixels
    num_images: int  # in one repetition of the two batched ways
    num_calls: int  # of one call per phrase that are timed; each does the same work
    repetitions: int

    def settings(self) -> ProposerSettings:
        return ProposerSettings.model_validate(
            {
                "precision": self.precision,
                "score_threshold": 0,
                "iom_threshold": 1,
                "max_proposals": MASKS_PER_PHRASE,
                "prompts_per_batch": len(PHRASES),
            }
        )


class Photos:
    """Media that are JPEGs in memory."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def read(self, media_id: str) -> bytes:
        return self.contents[media_id]


def rows() -> list[Row]:
    """Measure the published shapes, the tiny model, and memory over many images."""
    install()
    has_gpu = torch.cuda.is_available()
    large = _measure(_full_size() if has_gpu else _fewer_layers())
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the worker does for a small model
    tiny = [Row(name=row.name, value=row.value, unit=row.unit) for row in _measure(_tiny())]
    growth = _growth_in_memory(_tiny())
    torch.set_num_threads(num_threads)
    return [*large, *tiny, growth]


def _measure(bench: Bench) -> list[Row]:
    """
    Time the ways. The two that are nearly alike take turns, forth and back.

    Their ratio is the median over the turns, because a machine's speed drifts from one minute to
    the next but little within a turn. The calls come apart from them: they leave the allocator
    with blocks of other sizes, for which the next way would pay.
    """
    photos = Photos({f"photo_{i}": _jpeg(i, bench.image_size) for i in range(bench.num_images)})
    ways: dict[str, Callable[[], float]] = {
        "calls": _call_per_phrase(bench, photos),
        "bare": _bare_forward(bench, photos),
        "stage": _stage(bench, photos),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    seconds["calls"] = [ways["calls"]() for _ in range(bench.repetitions)]
    ways["bare"]()
    for repetition in range(bench.repetitions):
        for name in ("bare", "stage") if repetition % 2 == 0 else ("stage", "bare"):
            seconds[name].append(ways[name]())
    shares = [bare / stage for bare, stage in zip(seconds["bare"], seconds["stage"], strict=True)]
    measured = f"propose, {bench.label}, 16 phrases an image"
    return [
        at_least(
            f"{measured}: end to end against the bare forward with shared features",
            statistics.median(shares),
            "ratio",
            SHARE_GOAL,
        ),
        at_least(
            f"{measured}: end to end against one Sam3Model call per phrase",
            min(seconds["calls"]) / min(seconds["stage"]),
            "times",
            SPEED_UP_GOAL,
        ),
        Row(
            name=f"{measured}: one image end to end",
            value=statistics.median(seconds["stage"]),
            unit="s",
        ),
    ]


def _stage(bench: Bench, photos: Photos) -> Callable[[], float]:
    proposer = Sam3Proposer(
        bench.model, bench.tokenizer, name="sam3@benchmark", settings=bench.settings()
    )
    prompts = [
        Prompt(pair=Pair(media_id=media_id, phrase=phrase))
        for media_id in photos.contents
        for phrase in PHRASES
    ]

    def seconds_per_image() -> float:
        started = time.perf_counter()
        output = propose(prompts, proposer=proposer, media=photos)
        taken = time.perf_counter() - started
        assert len(output.items) == len(prompts)
        assert any(found.proposals for found in output.items), "no mask was encoded"
        return taken / bench.num_images

    return seconds_per_image


def _bare_forward(bench: Bench, photos: Photos) -> Callable[[], float]:
    pixels = _pixels(bench, photos)
    with torch.inference_mode(), _autocast(bench):
        features, is_token = PhraseFeatures(bench.model, bench.tokenizer).of(PHRASES)

    def seconds_per_image() -> float:
        started = time.perf_counter()
        with torch.inference_mode(), _autocast(bench):
            for pixels_1CSS in pixels:
                vision = bench.model.get_vision_features(pixels_1CSS)
                bench.model(
                    vision_embeds=of_images(vision, [0] * len(PHRASES)),
                    text_embeds=BaseModelOutputWithPooling(pooler_output=features),
                    attention_mask=is_token,
                )
        _wait_for(bench)
        return (time.perf_counter() - started) / bench.num_images

    return seconds_per_image


def _call_per_phrase(bench: Bench, photos: Photos) -> Callable[[], float]:
    pixels_1CSS = _pixels(bench, photos)[0]
    tokens = [
        bench.tokenizer(phrase, return_tensors="pt", padding="max_length", max_length=32).to(
            bench.model.device
        )
        for phrase in PHRASES[: bench.num_calls]
    ]

    def seconds_per_image() -> float:
        started = time.perf_counter()
        with torch.inference_mode(), _autocast(bench):
            for of_phrase in tokens:
                bench.model(pixel_values=pixels_1CSS, **of_phrase)
        _wait_for(bench)
        return (time.perf_counter() - started) / bench.num_calls * len(PHRASES)

    return seconds_per_image


def _growth_in_memory(bench: Bench) -> Row:
    proposer = Sam3Proposer(
        bench.model, bench.tokenizer, name="sam3@benchmark", settings=bench.settings()
    )
    contents = [_jpeg(seed, SMALL_SIZE) for seed in range(20)]

    def images() -> Iterator[PromptedImage]:
        for number in range(NUM_STREAMED):
            pair = Pair(media_id=f"photo_{number}", phrase=PHRASES[number % len(PHRASES)])
            pixels_HWC = decode_rgb(contents[number % len(contents)], name=pair.media_id)
            yield PromptedImage(
                media_id=pair.media_id, pixels_HWC=pixels_HWC, prompts=(Prompt(pair=pair),)
            )

    here = psutil.Process()
    resident = np.array([here.memory_info().rss for _ in proposer.propose(images())]) / 2**20
    assert len(resident) == NUM_STREAMED
    growth = resident[-NUM_WARM:].max() - resident[NUM_WARM : 2 * NUM_WARM].max()
    name = "propose, tiny: growth of resident memory between images 1,000 and 5,000"
    return at_most(name, float(growth), "MB", GROWTH_GOAL_MB)


def _full_size() -> Bench:
    config = Sam3Config()
    with torch.device("cuda"):
        model = Sam3Model(config)
    return Bench(
        label="facebook/sam3 in full on a GPU",
        model=_for_inference(model),
        tokenizer=_tokenizer(),
        precision="bfloat16",
        image_size=PHOTO_SIZE,
        num_images=8,
        num_calls=len(PHRASES),
        repetitions=5,
    )


def _fewer_layers() -> Bench:
    config = Sam3Config(
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "num_hidden_layers": 16,
                "global_attn_indexes": [15],
            },
        },
        geometry_encoder_config={"num_layers": 1},
        detr_encoder_config={"num_layers": 1},
        detr_decoder_config={"num_layers": 1},
    )
    assert isinstance(config.text_config, PreTrainedConfig)
    config.text_config.num_hidden_layers = 1
    is_fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return Bench(
        label="facebook/sam3 with fewer layers on the CPU",
        model=_for_inference(Sam3Model(config)),
        tokenizer=_tokenizer(),
        precision="bfloat16" if is_fast else "float32",
        image_size=PHOTO_SIZE,
        num_images=2,
        num_calls=1,
        repetitions=3,
    )


def _tiny() -> Bench:
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    return Bench(
        label="tiny on the CPU",
        model=_for_inference(build_model(len(tokenizer))),
        tokenizer=tokenizer,
        precision="float32",
        image_size=SMALL_SIZE,
        num_images=8,
        num_calls=len(PHRASES),
        repetitions=5,
    )


def _for_inference(model: Sam3Model) -> Sam3Model:
    nn.Module.eval(model)
    nn.Module.requires_grad_(model, False)
    nn.Module.register_forward_hook(model, _with_ellipses)
    return model


def _with_ellipses(_: nn.Module, __: object, output: Any) -> Any:
    """Put an ellipse in the place of every mask: as many, of the same size and type."""
    logits_BQhw = output.pred_masks
    num_queries, height, width = logits_BQhw.shape[1:]
    generator = torch.Generator().manual_seed(0)
    centre_Q2, radius_Q2 = torch.rand((2, num_queries, 2, 1, 1), generator=generator)
    radius_Q2 = 0.03 + 0.2 * radius_Q2  # as a share of the image's side
    y_h1 = torch.linspace(0, 1, height)[:, None]
    x_1w = torch.linspace(0, 1, width)[None, :]
    distance_Qhw = ((y_h1 - centre_Q2[:, 0]) / radius_Q2[:, 0]) ** 2 + (
        (x_1w - centre_Q2[:, 1]) / radius_Q2[:, 1]
    ) ** 2
    ellipses_Qhw = (8 * (1 - distance_Qhw)).to(logits_BQhw)
    output.pred_masks = ellipses_Qhw.expand_as(logits_BQhw)
    return output


def _tokenizer() -> CLIPTokenizer:
    return build_tokenizer(PHRASES)


def _pixels(bench: Bench, photos: Photos) -> list[torch.Tensor]:
    """Return the photos as the model reads them, on its device."""
    side = int(bench.model.config.image_size)
    return [
        normalise(resize(decode_rgb(content, name=name), side)[None].to(bench.model.device))
        for name, content in photos.contents.items()
    ]


def _jpeg(seed: int, size: tuple[int, int]) -> bytes:
    """Return a picture of soft colours with some grain, which compresses like a photo."""
    generator = np.random.default_rng(seed)
    soft = Image.fromarray(generator.integers(0, 256, (9, 16, 3), np.uint8)).resize(size)
    grain_HWC = generator.normal(0, 6, (size[1], size[0], 3))
    pixels_HWC = np.clip(np.asarray(soft) + grain_HWC, 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels_HWC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _autocast(bench: Bench) -> torch.autocast:
    is_half = bench.precision == "bfloat16"
    return torch.autocast(bench.model.device.type, torch.bfloat16, enabled=is_half)


def _wait_for(bench: Bench) -> None:
    if bench.model.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    print_rows(rows())
