"""From clicks and boxes to masks, with a small untrained tracker and with a whole SAM 3."""

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3TrackerVideoModel

from engine.errors import ConfigError, WeightsError
from engine.masks import BoolArray, decode
from engine.ports import ImageArray
from engine.records import Mask
from models.sam3_tracker import Sam3Clicker, load_clicker
from models.settings import ClickerSettings
from models.tiny.tracker_architecture import save_tracker
from models.tracker_features import FeatureCache, image_features
from models.tracker_loading import find_tracker, load_tracker
from models.weights import find_weights
from tests.tiny_tracker import save_whole_sam3, untrained_tracker

CPU = torch.device("cpu")
PROMPTS: dict[str, dict[str, Any]] = {
    "one click": {"points_xy": [(40, 30)], "are_positive": [True]},
    "three clicks": {
        "points_xy": [(40, 30), (100.5, 61), (7, 110)],
        "are_positive": [True, True, False],
    },
    "a box": {"box_xyxy": (20, 10, 90, 80)},
    "a box and a click": {
        "points_xy": [(33, 44)],
        "are_positive": [False],
        "box_xyxy": (20, 10, 90, 80),
    },
}
THIN = {"hidden_size": 128, "intermediate_size": 128, "num_hidden_layers": 1}
NO_PROMPT: dict[str, Any] = {"points_xy": (), "are_positive": (), "box_xyxy": None}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> Sam3TrackerModel:
    return untrained_tracker()


@pytest.fixture(scope="module")
def folder(model: Sam3TrackerModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracker")
    save_tracker(model, folder)
    return folder


@pytest.fixture(scope="module")
def whole_sam3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whole_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def an_image(seed: int, height: int = 120, width: int = 160) -> ImageArray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    pixels: ImageArray = coarse.repeat(height // 6, axis=0).repeat(width // 8, axis=1)
    return pixels


def clicked(clicker: Sam3Clicker, media_id: str, pixels_HWC: ImageArray, **prompt: Any) -> Mask:
    return clicker.mask(media_id, pixels_HWC, **{**NO_PROMPT, **prompt})


@torch.no_grad()
def post_processed(
    model: Sam3TrackerModel, pixels_HWC: ImageArray, prompt: dict[str, Any]
) -> BoolArray:
    """The lines of transformers' processor, which needs torchvision, around the model's forward."""
    height, width = pixels_HWC.shape[:2]
    resized_1CSS = torch.nn.functional.interpolate(
        torch.tensor(pixels_HWC).permute(2, 0, 1)[None],
        (96, 96),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    scale = torch.tensor([96 / width, 96 / height])
    inputs = {}
    if "points_xy" in prompt:
        inputs["input_points"] = torch.tensor([[prompt["points_xy"]]]) * scale
        inputs["input_labels"] = torch.tensor([[prompt["are_positive"]]]).long()
    if "box_xyxy" in prompt:
        inputs["input_boxes"] = torch.tensor([[prompt["box_xyxy"]]]) * scale.repeat(2)
    is_ambiguous = len(prompt.get("points_xy", ())) == 1 and "box_xyxy" not in prompt
    found = model(
        pixel_values=(resized_1CSS / 255 - 0.5) / 0.5, multimask_output=is_ambiguous, **inputs
    )
    best = int(found.iou_scores[0, 0].argmax())
    assert (3 if is_ambiguous else 1) == found.pred_masks.shape[2]
    logits = torch.nn.functional.interpolate(
        found.pred_masks[:, 0], (height, width), mode="bilinear", align_corners=False
    )
    mask_HW: BoolArray = (logits[0, best] > 0).numpy()
    return mask_HW


@pytest.mark.parametrize("name", PROMPTS)
def test_the_mask_is_that_of_transformers(model: Sam3TrackerModel, name: str) -> None:
    clicker = Sam3Clicker(model, name="x", cached_images=2)
    pixels_HWC = an_image(1)

    found = clicked(clicker, "1", pixels_HWC, **PROMPTS[name])

    expected_HW = post_processed(model, pixels_HWC, PROMPTS[name])
    assert 0.05 < expected_HW.mean() < 0.95
    assert (found.height, found.width) == expected_HW.shape
    # Pixels that lie on the threshold may fall either way.
    assert (decode([found])[0] ^ expected_HW).mean() < 1e-3


def test_the_next_click_does_not_look_at_the_pixels(model: Sam3TrackerModel) -> None:
    clicker = Sam3Clicker(model, name="x", cached_images=2)
    one, other = an_image(1), an_image(2)
    first = clicked(clicker, "1", one, **PROMPTS["a box"])

    assert first == clicked(clicker, "1", other, **PROMPTS["a box"])
    assert first != clicked(clicker, "2", other, **PROMPTS["a box"])


def test_the_image_that_was_clicked_longest_ago_is_forgotten(model: Sam3TrackerModel) -> None:
    clicker = Sam3Clicker(model, name="x", cached_images=2)
    blank = np.zeros((120, 160, 3), np.uint8)
    asked = PROMPTS["a box"]
    expected = {name: clicked(clicker, name, an_image(int(name)), **asked) for name in "12"}
    clicked(clicker, "1", blank, **asked)
    clicked(clicker, "3", an_image(3), **asked)

    assert expected["1"] == clicked(clicker, "1", blank, **asked)
    assert expected["2"] != clicked(clicker, "2", blank, **asked)


def test_threads_get_the_masks_of_one_thread(model: Sam3TrackerModel) -> None:
    asked = [(str(seed), name) for seed in range(4) for name in PROMPTS] * 2

    def answer(clicker: Sam3Clicker, media_id: str, name: str) -> Mask:
        return clicked(clicker, media_id, an_image(int(media_id)), **PROMPTS[name])

    alone = Sam3Clicker(model, name="x", cached_images=4)
    shared = Sam3Clicker(model, name="x", cached_images=3)
    expected = [answer(alone, *one) for one in asked]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: answer(shared, *one), asked))

    assert expected == found


def test_threads_that_ask_for_one_image_encode_it_once() -> None:
    cache, barrier = FeatureCache(2), threading.Barrier(6)
    encoded: list[int] = []

    def encode() -> list[torch.Tensor]:
        encoded.append(1)
        return [torch.zeros(1)]

    def ask(_: int) -> list[torch.Tensor]:
        barrier.wait(10)
        return cache.get("a", encode)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(6)))

    assert [1] == encoded
    assert all(features is found[0] for features in found)


def test_an_image_that_failed_is_tried_again() -> None:
    cache = FeatureCache(2)

    def fail() -> list[torch.Tensor]:
        raise ConfigError("too little memory")

    with pytest.raises(ConfigError, match="too little memory"):
        cache.get("a", fail)
    features = [torch.zeros(1)]

    assert features is cache.get("a", lambda: features)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        pytest.param({}, "neither a point nor a box", id="nothing"),
        pytest.param(
            {"points_xy": [(1, 1)], "are_positive": []}, "1 points have 0 signs", id="no sign"
        ),
        pytest.param(
            {"points_xy": [(161, 5)], "are_positive": [True]},
            r"point \(161, 5\) is not on the image of 160 x 120 pixels",
            id="right of the image",
        ),
        pytest.param(
            {"points_xy": [(float("nan"), 5)], "are_positive": [True]}, "not on", id="not a number"
        ),
        pytest.param({"box_xyxy": (50, 10, 20, 80)}, "box must be left", id="turned round"),
        pytest.param({"box_xyxy": (5, 5, 5, 9)}, "box must be left", id="without width"),
        pytest.param({"box_xyxy": (0, 0, float("inf"), 9)}, "box must be left", id="endless"),
    ],
)
def test_a_prompt_that_is_none_is_refused(
    model: Sam3TrackerModel, prompt: dict[str, Any], message: str
) -> None:
    clicker = Sam3Clicker(model, name="x", cached_images=1)

    with pytest.raises(ValueError, match=message):
        clicked(clicker, "1", an_image(1), **prompt)


def test_a_click_on_the_last_border_is_on_the_image(model: Sam3TrackerModel) -> None:
    clicker = Sam3Clicker(model, name="x", cached_images=1)

    found = clicked(clicker, "1", an_image(1), points_xy=[(160, 120)], are_positive=[True])

    assert (120, 160) == (found.height, found.width)


def test_a_folder_gives_the_model_that_was_saved(model: Sam3TrackerModel, folder: Path) -> None:
    loaded = load_clicker(ClickerSettings(weights=str(folder), device="cpu"))
    kind, digest = loaded.name.split("@")

    assert ("sam3_tracker", 16) == (kind, len(digest))
    expected = clicked(
        Sam3Clicker(model, name="", cached_images=1), "1", an_image(1), **PROMPTS["a box"]
    )
    assert expected == clicked(loaded, "1", an_image(1), **PROMPTS["a box"])


def test_one_changed_byte_gives_another_name(folder: Path, copy: Path) -> None:
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-2] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(content))

    assert find_tracker(str(folder)).name != find_tracker(str(copy)).name


@torch.no_grad()
def test_the_tracker_of_a_whole_sam3_is_taken_out(whole_sam3: Path) -> None:
    loaded = load_tracker(find_tracker(str(whole_sam3)), CPU)
    pixels_BCSS = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))

    # Four levels of the pyramid; transformers' tracker of videos reads the same three of them.
    expected = Sam3TrackerVideoModel.from_pretrained(whole_sam3).eval()
    features = image_features(loaded, pixels_BCSS)
    levels = zip(expected.get_image_embeddings(pixels_BCSS), features, strict=True)
    assert all(torch.equal(one, other) for one, other in levels)
    tensors = load_file(whole_sam3 / "model.safetensors")
    for name, tensor in loaded.state_dict().items():
        if not name.startswith("vision_encoder."):
            assert torch.equal(tensors[f"tracker_model.{name}"], tensor)


def test_a_whole_sam3_answers_clicks(whole_sam3: Path) -> None:
    clicker = load_clicker(ClickerSettings(weights=str(whole_sam3), device="cpu"))

    found = clicked(clicker, "1", an_image(1), **PROMPTS["three clicks"])

    assert (120, 160) == (found.height, found.width)


def test_a_whole_sam3_has_the_digest_of_its_proposer(whole_sam3: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole_sam3, tmp_path / "copy"))
    (copy / "tokenizer.json").write_text("{}")

    assert find_weights(str(copy)).digest == find_tracker(str(copy)).digest


def test_the_published_size_answers_clicks() -> None:
    """facebook/sam3's configuration with a thin image encoder of one layer."""
    torch.manual_seed(0)
    config = Sam3TrackerConfig(
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {"model_type": "sam3_vit_model", **THIN},
        }
    )
    model = Sam3TrackerModel(config).eval().requires_grad_(False)
    clicker = Sam3Clicker(model, name="x", cached_images=1)

    found = clicked(clicker, "1", an_image(1, 540, 960), **PROMPTS["three clicks"])

    assert (540, 960) == (found.height, found.width)
    [features] = [clicker._features.get("1", list)]
    assert [(32, 288, 288), (64, 144, 144), (256, 72, 72)] == [
        tuple(level.shape[1:]) for level in features
    ]


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda folder: edit_config(folder, model_type="sam3"),
            "are a 'sam3' model, expected 'sam3_tracker' or 'sam3_video'",
            id="a proposer",
        ),
        pytest.param(
            lambda folder: (folder / "config.json").unlink(),
            r"expected config\.json of a Sam3Tracker",
            id="no configuration",
        ),
        pytest.param(
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "cannot be loaded: .*model.safetensors",
            id="pickled tensors",
        ),
        pytest.param(
            lambda folder: (folder / "model.safetensors").write_bytes(b"no tensors"),
            "cannot be loaded",
            id="broken tensors",
        ),
    ],
)
def test_what_is_no_tracker_is_refused_by_name(copy: Path, spoil: Any, message: str) -> None:
    spoil(copy)

    with pytest.raises(WeightsError, match=message) as caught:
        load_clicker(ClickerSettings(weights=str(copy), device="cpu"))
    assert str(copy) in str(caught.value)


def test_a_missing_tensor_is_an_error_and_not_random_numbers(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors.pop("tracker_model.no_memory_embedding")
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(WeightsError, match="lack 1 tensors, 'no_memory_embedding' among them"):
        load_tracker(find_tracker(str(copy)), CPU)


def test_weights_that_are_nowhere_say_so() -> None:
    with pytest.raises(WeightsError, match="are no folder and no id on the hub"):
        find_tracker("no/such/folder")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="torch finds no GPU"):
        load_clicker(ClickerSettings(weights=str(folder), device="cuda"))
