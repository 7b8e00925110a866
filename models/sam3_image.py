"""
Sam3 on images, behind the `Proposer` port.

An image is encoded once, a phrase once, and what differs between prompts is decoded in batches that
reach across images. Resizing runs ahead of the model and mask encoding behind it, each on threads
of their own. Memory holds a few images at a time, however many there are.
"""

from collections.abc import Iterable, Iterator

import torch
from transformers import CLIPTokenizer, Sam3Model

from engine.errors import ConfigError
from engine.ports import PromptedImage
from engine.prefetch import prefetched
from engine.records import Prompt, Proposal, ProposalSet
from models.detector import Detections, Detector, ResizedImage
from models.loading import load_model, load_tokenizer
from models.preprocessing import resize
from models.run_lengths import encode_upsampled
from models.selection import without_duplicates
from models.settings import ProposerSettings
from models.weights import find_weights

# What SAM 3 reads where boxes are the whole prompt: pass it as a prompt's `prompted_phrase`.
VISUAL_PROMPT = "visual"


class Sam3Proposer:
    """
    Proposes masks with one Sam3.

    Args:
        model: On the device where it shall run, in evaluation mode.

        tokenizer: The one that the model was trained with.

        name: Kind and weights digest.

        settings: Thresholds, batch size and threads. Its weights and device are not looked at.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: CLIPTokenizer,
        *,
        name: str,
        settings: ProposerSettings,
    ) -> None:
        self._detector = Detector(model, tokenizer, settings)
        self._settings = settings
        self.device = model.device.type  # where it computes: "cpu" or "cuda"
        self.name = name
        self.inference_settings = settings.answer_hash(self._detector.precision)

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        """
        Yield, for each image in order, one proposal set per prompt in order.

        The answer to a prompt does not depend on what else is asked, up to rounding in the sums
        that the model computes in batches.

        Raises:
            ConfigError: If the device has too little memory for a batch.
        """
        threads = self._settings.cpu_threads
        resized = prefetched(
            self._resize, images, num_threads=threads, num_ahead=self._settings.images_ahead
        )
        detected = (
            found
            for window in _windows(resized, self._settings.prompts_per_batch)
            for found in zip(window, self._detector.detect(window), strict=True)
        )
        return prefetched(self._encode, detected, num_threads=threads, num_ahead=2 * threads)

    def _resize(self, image: PromptedImage) -> ResizedImage:
        height, width = image.pixels_HWC.shape[:2]
        return ResizedImage(
            pixels_CSS=resize(image.pixels_HWC, self._detector.side),
            height=height,
            width=width,
            prompts=image.prompts,
        )

    def _encode(self, found: tuple[ResizedImage, list[Detections]]) -> list[ProposalSet]:
        image, of_prompts = found
        return [
            self._proposal_set(image, prompt, detections)
            for prompt, detections in zip(image.prompts, of_prompts, strict=True)
        ]

    def _proposal_set(self, image: ResizedImage, prompt: Prompt, found: Detections) -> ProposalSet:
        masks = encode_upsampled(found.probabilities_Khw, height=image.height, width=image.width)
        proposals = [
            Proposal(mask=mask, query_score=float(score))
            for mask, score in zip(masks, found.scores_K, strict=True)
            if mask.area_pixels > 0
        ]
        return ProposalSet(
            pair_id=prompt.pair.id,
            proposer=self.name,
            inference_settings=self.inference_settings,
            prompted_phrase=prompt.prompted_phrase,
            exemplars=prompt.exemplars,
            presence=found.presence,
            proposals=without_duplicates(proposals, iom_threshold=self._settings.iom_threshold),
        )


def load_proposer(settings: ProposerSettings) -> Sam3Proposer:
    """
    Load the weights that *settings* name onto its device.

    Raises:
        WeightsError: If the weights are missing, cannot be downloaded, or are not a Sam3.
        ConfigError: If the device is not there.
    """
    device = _device(settings.device)
    weights = find_weights(settings.weights)
    return Sam3Proposer(
        load_model(weights, device),
        load_tokenizer(weights),
        name=weights.name,
        settings=settings,
    )


def _device(wanted: str) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ConfigError("device is cuda, but torch finds no GPU: set it to cpu or auto")
    return torch.device("cuda" if has_gpu and wanted != "cpu" else "cpu")


def _windows(images: Iterable[ResizedImage], num_prompts: int) -> Iterator[list[ResizedImage]]:
    """Yield consecutive images that fill a batch of prompts together, the last ones as they are."""
    window: list[ResizedImage] = []
    num_asked = 0
    for image in images:
        window.append(image)
        num_asked += max(1, len(image.prompts))
        if num_asked >= num_prompts:
            yield window
            window, num_asked = [], 0
    if window:
        yield window
