"""Finished pairs over real images, for tests of snapshots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import Engine, text

from db.media import add_media
from db.pairs import add_pairs
from db.resolutions import add_resolutions
from db.rows import resolution_id
from db.session import transaction
from engine.images import inspect_image
from engine.records import (
    Mask,
    Media,
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    Resolution,
    ResolvedMask,
)
from flows.settings import Settings
from tests.factories import a_mask

WIDTH, HEIGHT = 48, 36
ONE = a_mask(left=1, width=WIDTH, height=HEIGHT)
TWO = a_mask(left=9, width=WIDTH, height=HEIGHT)


def settings_of(engine: Engine, home: Path) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings().model_copy(update={"home": home, "database_url": SecretStr(url)})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A folder of images and the database that knows them."""

    engine: Engine
    folder: Path

    def image(self, seed: int, *, domain: str = "", caption: str = "", quality: int = 0) -> Media:
        """
        Write the image of *seed* and let the database know it.

        Images of two seeds look different; those of one seed and two qualities look the same.
        """
        rough_HWC = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        picture = Image.fromarray(rough_HWC).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        path = self.folder / (f"{seed}_{quality}.jpg" if quality else f"{seed}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        if quality:
            picture.save(path, quality=quality)
        else:
            picture.save(path)
        media = inspect_image(path.read_bytes(), name=path.name)
        source = MediaSource(media_id=media.id, uri=path.as_uri(), domain=domain, caption=caption)
        with transaction(self.engine) as session:
            add_media(session, [media], [source])
        return media

    def images(self, seeds: Sequence[int], *, domain: str = "") -> list[Media]:
        return [self.image(seed, domain=domain) for seed in seeds]

    def pair(self, media: Media, phrase: str = "kite", *, phase: str = "") -> Pair:
        pair = Pair(media_id=media.id, phrase=phrase)
        origin = PairOrigin(pair_id=pair.id, kind=OriginKind.PERSON, source="anna", phase=phase)
        with transaction(self.engine) as session:
            add_pairs(session, [pair], [origin])
        return pair

    def resolve(
        self,
        pair: Pair,
        *masks: Mask,
        maker: str = "anna",
        outcome: Outcome | None = None,
        is_group: bool = False,
        at: datetime | None = None,
    ) -> str:
        """Finish *pair* and return the id of the resolution; without masks it is a negative."""
        found = outcome or (Outcome.INSTANCE_EXHAUSTIVE if masks else Outcome.NEGATIVE)
        resolution = Resolution(
            pair_id=pair.id,
            maker=maker,
            outcome=found,
            masks=tuple(ResolvedMask(mask=each, is_group=is_group) for each in masks),
        )
        with transaction(self.engine) as session:
            add_resolutions(session, [resolution])
            if at is not None:
                moved = "UPDATE resolution SET recorded_at = :at WHERE id = :id"
                session.execute(text(moved), {"at": at, "id": resolution_id(resolution)})
        return resolution_id(resolution)

    def finished(
        self, media: Media, phrases: Mapping[str, Sequence[Mask]], *, phase: str = ""
    ) -> list[Pair]:
        """Make pairs of *media* and finish each of them with its masks."""
        pairs = []
        for phrase, masks in phrases.items():
            pairs.append(self.pair(media, phrase, phase=phase))
            self.resolve(pairs[-1], *masks)
        return pairs
