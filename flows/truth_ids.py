"""
Which pair of ours is which entry of a truth file, so that predictions carry the file's ids.

Three ways, the surest first: our own ids, in a file that maskloop exported; the origins of a file
that was ingested; and the place of the images, for truth that stays outside so that it can measure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.media import media_ids_at
from db.selection import pairs_of_source
from db.session import transaction
from engine.errors import ConfigError
from engine.formats.dataset import DatasetPair
from engine.formats.saco import read_saco, truth_ids
from engine.ids import file_id
from engine.phrases import normalise
from engine.records import Pair
from flows.ingest import file_locator


def ids_in(truth: Path, engine: Engine) -> Mapping[str, Sequence[int]]:
    """
    Return the file's ids of each pair.

    Raises:
        ConfigError: If the file's images are none of ours.
    """
    pairs = read_saco(truth).pairs
    if all(pair.pair_id for pair in pairs):
        return truth_ids(pairs)
    with transaction(engine) as session:
        origins = pairs_of_source(session, file_id("file", truth))
        known = list(_by_origin(pairs, origins) if origins else _by_place(pairs, truth, session))
    if not known:
        msg = f"{truth} was neither exported by maskloop nor ingested, and no image of it was"
        raise ConfigError(f"{msg}: ingest its images and phrases first")
    return truth_ids(known)


def _by_origin(
    pairs: Iterable[DatasetPair], origins: Mapping[str, Sequence[str]]
) -> Iterator[DatasetPair]:
    # Phrases that were asked besides have origins of this file too, but no id in it.
    for pair in pairs:
        for pair_id in origins.get(pair.source_id, ()):
            yield replace(pair, pair_id=pair_id)


def _by_place(pairs: Sequence[DatasetPair], truth: Path, session: Session) -> Iterator[DatasetPair]:
    locate = file_locator(truth.absolute().parent)
    uris = {name: locate(name) for name in {pair.media.file_name for pair in pairs}}
    media_ids = media_ids_at(session, sorted(uris.values()))
    for pair in pairs:
        if (media_id := media_ids.get(uris[pair.media.file_name])) is not None:
            pair_id = Pair(media_id=media_id, phrase=normalise(pair.phrase)).id
            yield replace(pair, pair_id=pair_id)
