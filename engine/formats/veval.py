"""
SA-Co/VEval files: phrases in videos, masklets with one mask or none for each frame.

  masks, boxes   absolute pixels
  frames         those that the file lists: for SA-V every fourth of the film
  a negative     an entry of `video_np_pairs` with num_masklets 0

Source: facebookresearch/sam3, scripts/eval/veval/README.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair, outcome_of
from engine.formats.entries import (
    Failures,
    entry,
    flag,
    identifier,
    load_lists,
    named,
    number,
    segmentation_mask,
    sequence,
    side,
    text,
)
from engine.phrases import normalise
from engine.records import Failure, Mask, ResolvedMask


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video as the file names it: a list of frame files."""

    video_id: str
    name: str
    file_names: tuple[str, ...]  # one for each frame
    width: int  # pixels
    height: int  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Masklet:
    """One instance through a video."""

    masklet_id: str
    masks: tuple[Mask | None, ...]  # one for each frame; None where the instance is not seen
    is_group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPair:
    """One video with one phrase; without masklets a negative, unless some could not be read."""

    source_id: str
    video: Video
    phrase: str
    masklets: tuple[Masklet, ...]
    is_exhaustive: bool  # False where the file states more masklets than could be read


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDataset:
    """All pairs of a file, and the entries that could not be read."""

    pairs: tuple[VideoPair, ...]
    failures: tuple[Failure, ...] = ()


def read_veval(path: Path) -> VideoDataset:
    """
    Read a truth file of the video evaluation.

    Returns:
        Pairs in the order of `video_np_pairs`, and a failure for each entry that is wrong, also
        for a pair that states another number of masklets than there are.

    Raises:
        InvalidFileError: If the file is no JSON object with the lists videos, annotations and
            video_np_pairs.
    """
    lists = load_lists(path, "videos", "annotations", "video_np_pairs")
    failures = Failures("read_veval", path)
    videos = _read_videos(lists[0], failures)
    masklets = _read_masklets(lists[1], videos, failures)
    pairs: list[VideoPair] = []
    for position, value in enumerate(lists[2]):
        name = named("pair", value, position)
        with failures.of(name):
            fields = entry(value)
            video_id = identifier(fields, "video_id")
            found = tuple(masklets.get((video_id, identifier(fields, "category_id")), ()))
            stated = int(number(fields, "num_masklets"))
            pairs.append(
                VideoPair(
                    source_id=identifier(fields, "id"),
                    video=_known(videos, video_id),
                    phrase=normalise(text(fields, "noun_phrase")),
                    masklets=found,
                    is_exhaustive=len(found) == stated,
                )
            )
            if len(found) != stated:
                raise InvalidFileError(f"it states {stated} masklets, {len(found)} could be read")
    return VideoDataset(pairs=tuple(pairs), failures=failures.all())


def frame_pairs(videos: VideoDataset) -> Dataset:
    """
    Return every frame of every pair as a pair of its own.

    Where a masklet has no mask its instance is not seen: a frame without any mask of an exhaustive
    pair is a negative. `source_id` is "<pair id>/<frame number>".
    """
    pairs = [
        _frame_pair(pair, frame)
        for pair in videos.pairs
        for frame in range(len(pair.video.file_names))
    ]
    media = {pair.media.media_id: pair.media for pair in pairs}
    return Dataset(media=tuple(media.values()), pairs=tuple(pairs), failures=videos.failures)


def _frame_pair(pair: VideoPair, frame: int) -> DatasetPair:
    name = pair.video.file_names[frame]
    masks = tuple(
        ResolvedMask(mask=mask, is_group=masklet.is_group)
        for masklet in pair.masklets
        if (mask := masklet.masks[frame]) is not None
    )
    return DatasetPair(
        source_id=f"{pair.source_id}/{frame}",
        media=DatasetMedia(
            media_id=name, file_name=name, width=pair.video.width, height=pair.video.height
        ),
        phrase=pair.phrase,
        outcome=outcome_of(
            masks,
            is_instance_exhaustive=pair.is_exhaustive,
            is_pixel_exhaustive=pair.is_exhaustive,
        ),
        masks=masks,
    )


def _read_videos(values: Sequence[object], failures: Failures) -> dict[str, Video]:
    videos: dict[str, Video] = {}
    for position, value in enumerate(values):
        with failures.of(named("video", value, position)):
            fields = entry(value)
            names = [name for name in sequence(fields, "file_names") if isinstance(name, str)]
            if not names or len(names) != len(sequence(fields, "file_names")):
                raise InvalidFileError("'file_names' must be a list of texts, one for each frame")
            video = Video(
                video_id=identifier(fields, "id"),
                name=text(fields, "video_name"),
                file_names=tuple(names),
                width=side(fields, "width"),
                height=side(fields, "height"),
            )
            videos[video.video_id] = video
    return videos


def _read_masklets(
    values: Sequence[object], videos: Mapping[str, Video], failures: Failures
) -> Mapping[tuple[str, str], list[Masklet]]:
    masklets: defaultdict[tuple[str, str], list[Masklet]] = defaultdict(list)
    for position, value in enumerate(values):
        with failures.of(named("annotation", value, position)):
            fields = entry(value)
            video = _known(videos, identifier(fields, "video_id"))
            segmentations = sequence(fields, "segmentations")
            if len(segmentations) != len(video.file_names):
                counts = f"{len(segmentations)} masks for {len(video.file_names)} frames"
                raise InvalidFileError(
                    f"a masklet must have one mask or null a frame, got {counts}"
                )
            masklet = Masklet(
                masklet_id=identifier(fields, "id"),
                masks=tuple(_frame_mask(segmentation, video) for segmentation in segmentations),
                is_group=flag(fields, "iscrowd"),
            )
            masklets[video.video_id, identifier(fields, "category_id")].append(masklet)
    return masklets


def _frame_mask(segmentation: object, video: Video) -> Mask | None:
    if segmentation is None:
        return None
    mask = segmentation_mask(
        segmentation, height=video.height, width=video.width, may_be_empty=True
    )
    return mask if mask.area_pixels else None


def _known(videos: Mapping[str, Video], video_id: str) -> Video:
    if video_id not in videos:
        raise InvalidFileError(f"there is no video {video_id!r} that could be read")
    return videos[video_id]
