"""Parts come in through the front door, as anybody's files do."""

from pathlib import Path

from demo.parts import Part
from engine.errors import MaskloopError
from flows.front_door import Request, bring_in
from flows.settings import Settings


def come_in(part: Part, truth: Path, settings: Settings) -> None:
    """
    Ingest one part: its truth with its captions, or its phrases alone.

    Raises:
        MaskloopError: If anything of it fails.
    """
    names = (truth.name, "captions.csv") if part.with_truth else ("phrases.csv",)
    for name in names:
        source = truth.with_name(name)
        request = Request(source=str(source), domain=part.origin)
        if failed := bring_in(request, settings=settings)["failed"]:
            raise MaskloopError(f"{failed} entries of {source} could not be ingested")
