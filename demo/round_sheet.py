"""A contact sheet of held-out pairs, each before the round, after it, and as it is."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from demo.world.files import FolderPlan, asked_about
from demo.world.phrases import PhraseTruth
from demo.world.scenes import Scene, make_scene
from engine.masks import encode
from engine.ports import ImageArray, PromptedImage
from engine.records import Pair, Prompt, ProposalSet, ResolvedMask
from models.sam3_image import load_proposer
from models.settings import ProposerSettings
from ui.contact_sheet import write_sheet
from ui.tiles import SheetTile

_NUM_SCENES = 24
_NUM_PHRASES = 2


def write_before_after(before: str, after: str, plan: FolderPlan, folder: Path) -> None:
    """
    Write sheet.html and sheet.png into *folder*.

    Args:
        before: Weights before the round.

        after: Weights after it.

        plan: The held-out scenes; the first ones are shown.

        folder: It is made if it is not there.
    """
    asked = list(_asked(plan))
    sets = [_proposed(weights, asked) for weights in (before, after)]
    tiles = [
        _tile(scene, truth, new, before=_tile(scene, truth, old))
        for (scene, truth), old, new in zip(asked, *sets, strict=True)
    ]
    title = "maskloop: before and after a round of the loop"
    write_sheet(tiles, folder / "sheet.html", folder / "sheet.png", title=title)


def _asked(plan: FolderPlan) -> Iterator[tuple[Scene, PhraseTruth]]:
    for seed in plan.seeds[:_NUM_SCENES]:
        scene = make_scene(seed, plan.domain)
        for truth in asked_about(scene, seed, plan)[:_NUM_PHRASES]:
            yield scene, truth


def _proposed(weights: str, asked: Sequence[tuple[Scene, PhraseTruth]]) -> list[ProposalSet]:
    proposer = load_proposer(ProposerSettings(weights=weights, cpu_threads=1))
    images = (
        PromptedImage(
            media_id="",
            pixels_HWC=scene.image_HW3,
            prompts=(Prompt(pair=Pair(media_id="", phrase=truth.phrase)),),
        )
        for scene, truth in asked
    )
    return [found for (found,) in proposer.propose(images)]


def _tile(
    scene: Scene, truth: PhraseTruth, found: ProposalSet, *, before: SheetTile | None = None
) -> SheetTile:
    masks = [encode(scene.mask(index)[None])[0] for index in truth.indices]
    return SheetTile(
        pair_id=truth.phrase,
        phrase=truth.phrase,
        pixels=partial(_pixels, scene),
        proposals=found.proposals,
        presence=found.presence,
        truth=tuple(ResolvedMask(mask=mask) for mask in masks),
        before=before,
    )


def _pixels(scene: Scene) -> ImageArray:
    return scene.image_HW3
