"""
The codec of brush masks: beside label_studio_sdk's, and on fractured masks.

The SDK lives in Label Studio's own environment, so a process there does its part and times itself.
Both sides take turns on the same masks, drawn as those of `benchmarks.render`: ellipses of 2 to
40 % of a 1080p image's height. Ours begins and ends with COCO run lengths, the SDK's with pixels.
Each mask counts with its fastest turn, and the ratio is that of the sums. Without that environment,
which `maskloop up --review` makes and `MASKLOOP_REVIEW__VENV` names, these rows are left out.

Fractured masks have two million runs: a checkerboard of single pixels at 1080p, where all runs are
alike, and noise, where they are not. Time is that of one thread on the processor.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.render import HEIGHT, WIDTH, ellipse
from benchmarks.rows import Row, at_least, at_most, print_rows
from engine.masks import BoolArray, decode, encode
from engine.records import Mask
from flows.services.label_studio import venv_folder
from flows.services.label_studio_install import install, is_installed
from flows.settings import load_settings
from ui.label_studio.brush import checked_brush, decode_brush, encode_brush

_NUM_MASKS = 40
_NUM_TURNS = 7
_GOAL_RATIO = 10.0
_GOAL_FRACTURED_MS = 100.0

# For each mask that comes in: what the SDK makes of it, the seconds each way, and whether it is so.
_SDK = """
import json, sys, time
import numpy as np
from label_studio_sdk.converter.brush import decode_rle, mask2rle
for line in sys.stdin:
    height, width, packed = json.loads(line)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8), count=height * width)
    pixels = bits.reshape(height, width) * np.uint8(255)
    started = time.thread_time()
    rle = mask2rle(pixels)
    encoded = time.thread_time()
    values = decode_rle(rle)
    seconds = encoded - started, time.thread_time() - encoded
    same = bool((values.reshape(height, width, 4)[..., 3] == pixels).all())
    print(json.dumps([rle, seconds, same]), flush=True)
"""

Answer = tuple[list[int], tuple[float, float], bool]


def rows() -> list[Row]:
    """Return what one mask costs, the ratios to the SDK, and what fractured masks cost."""
    random = np.random.default_rng(0)
    masks = [ellipse(random) for _ in range(_NUM_MASKS)]
    small = [encode(decode([mask])[:, ::3, ::3])[0] for mask in masks]
    found = [*_each("1080p", masks), *_each("640x360", small), *_beside_sdk(masks)]
    checkerboard = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 == 1
    noise = random.random((2160, 1920)) < 0.5
    return [*found, *_fractured("checkerboard", checkerboard), *_fractured("noise", noise)]


def _each(name: str, masks: Sequence[Mask]) -> list[Row]:
    """Return the milliseconds that a mask costs, the median over *masks*."""
    ways: dict[str, Callable[[Mask, list[int]], object]] = {
        "encode": lambda mask, _: encode_brush(mask),
        "decode": lambda mask, rle: _decoded(rle, mask),
        "checked": lambda mask, _: checked_brush(mask),
    }
    found = []
    for way, take in ways.items():
        each = []
        for mask in masks:
            rle = encode_brush(mask)
            each.append(min(_milliseconds(take, mask, rle) for _ in range(_NUM_TURNS)))
        found.append(Row(name=f"brush.{name}.{way}", value=statistics.median(each), unit="ms"))
    return found


def _beside_sdk(masks: Sequence[Mask]) -> list[Row]:
    settings = load_settings()
    folder = venv_folder(settings.home, settings.review.venv_path)
    if not is_installed(folder):
        sys.stderr.write(f"brush: no comparison, Label Studio is not installed in {folder}\n")
        return []
    our_turns, sdk_turns = [], []
    with _sdk(install(folder)) as ask:
        for _ in range(_NUM_TURNS):
            answers = [ask(mask) for mask in masks]
            sdk_turns.append([seconds for _, seconds, _ in answers])
            our_turns.append([_our_turn(mask) for mask in masks])
    num_equal = sum(
        same and rle == encode_brush(mask) and _decoded(rle, mask) == mask
        for mask, (rle, _, same) in zip(masks, answers, strict=True)
    )
    our_ms, sdk_ms = np.min(our_turns, axis=0).sum(0), 1000 * np.min(sdk_turns, axis=0).sum(0)
    encode_ratio, decode_ratio = (sdk_ms / our_ms).tolist()
    return [
        at_least("brush.1080p.encode.ratio", encode_ratio, "ratio", _GOAL_RATIO),
        at_least("brush.1080p.decode.ratio", decode_ratio, "ratio", _GOAL_RATIO),
        at_least("brush.1080p.equal", num_equal / len(masks), "share", 1.0),
    ]


def _our_turn(mask: Mask) -> tuple[float, float]:
    rle = encode_brush(mask)
    return _milliseconds(encode_brush, mask), _milliseconds(_decoded, rle, mask)


@contextmanager
def _sdk(python: Path) -> Iterator[Callable[[Mask], Answer]]:
    """Start a process with the SDK, and yield what asks it about a mask."""
    pipe = subprocess.PIPE
    with subprocess.Popen([python, "-c", _SDK], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_sdk, from_sdk = process.stdin, process.stdout

        def ask(mask: Mask) -> Answer:
            packed = np.packbits(decode([mask])[0]).tobytes().hex()
            to_sdk.write(json.dumps([mask.height, mask.width, packed]) + "\n")
            to_sdk.flush()
            rle, (encoding, decoding), same = json.loads(from_sdk.readline())
            return rle, (encoding, decoding), same

        yield ask
        to_sdk.close()


def _fractured(name: str, pixels_HW: BoolArray) -> list[Row]:
    """Return the median milliseconds of a mask of two million runs."""
    mask = encode(pixels_HW[None])[0]
    rle = encode_brush(mask)
    assert _decoded(rle, mask) == mask
    encoding = [_milliseconds(encode_brush, mask) for _ in range(_NUM_TURNS)]
    decoding = [_milliseconds(_decoded, rle, mask) for _ in range(_NUM_TURNS)]
    return [
        at_most(f"brush.{name}.{way}", statistics.median(turns), "ms", _GOAL_FRACTURED_MS)
        for way, turns in (("encode", encoding), ("decode", decoding))
    ]


def _decoded(rle: Sequence[int], mask: Mask) -> Mask:
    return decode_brush(rle, height=mask.height, width=mask.width)


def _milliseconds(take: Callable[..., object], *arguments: object) -> float:
    started = time.thread_time()
    take(*arguments)
    return 1000 * (time.thread_time() - started)


if __name__ == "__main__":
    print_rows(rows())
