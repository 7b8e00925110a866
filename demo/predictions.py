"""Proposals as a file of predictions holds them."""

from collections.abc import Iterator

from engine.masks import to_coco
from engine.records import ProposalSet


def prediction_entries(pair_id: int, found: ProposalSet) -> Iterator[dict[str, object]]:
    """Yield each mask of *found* as a COCO result of the pair with this number in its truth."""
    for proposal in found.proposals:
        mask = proposal.mask
        x, y, width, height = mask.box_xywh
        yield {
            "image_id": pair_id,
            "category_id": 1,
            "score": found.confidence(proposal),
            "bbox": [x / mask.width, y / mask.height, width / mask.width, height / mask.height],
            "segmentation": to_coco(mask),
        }
