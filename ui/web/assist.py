"""
The assist backend: what a person clicks becomes masks, by the protocol of Label Studio's ML.

  GET  health    200
  POST setup     {"model_version": name of the model, "" until it is loaded}
  POST predict   {"results": [one for each task]}
  POST webhook   204; nothing is learnt from it

Label Studio sends the task with what is pending under the label that was drawn last. Its drafts,
written every few seconds, tell what is pending under other labels. Without anything pending, as
when it asks for predictions of its own accord, a task gets none. Pixels come from our own store by
the task's pair, never from an address in the request.

Source: Label Studio 1.23.2, ml/api_connector.py and ml/models.py.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from engine.errors import InvalidMaskError, MaskloopError
from engine.ids import content_id
from engine.masks import iom
from engine.ports import ImageArray
from engine.records import Mask, Media
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.label_studio.regions import Region, brush_region
from ui.web.clicks import Drawn, Wish, exemplar_label, read_wish
from ui.web.media import decoded
from ui.web.metrics import Metrics
from ui.web.ports import AskedPair, WebPorts
from ui.web.requests import RefusedError
from ui.web.threads import Kept, Threads

Reply: TypeAlias = dict[str, Any]
Parsed = TypeVar("Parsed", bound=BaseModel)

log = logging.getLogger(__name__)

_PAIRS_KEPT = 4096
_SAME_IOM = 0.5  # of the smaller mask: the same thing again (SAM 3 paper, F.4)


class _Regions(BaseModel):
    """A prediction, a draft or the context: something with regions."""

    result: list[dict[str, Any]] = []


class _Task(BaseModel):
    id: int
    data: dict[str, Any]
    drafts: list[_Regions] = []
    predictions: list[_Regions] = []


class _Params(BaseModel):
    context: _Regions | None = None


class _Request(BaseModel):
    tasks: list[dict[str, Any]]
    params: _Params = _Params()


class Assistant:
    """
    Answers requests of the protocol.

    Args:
        ports: Where pairs, pixels and models come from.

        threads: Where they are called.

        metrics: Counts the models' time.

        images_kept: Decoded images that wait for the next click.
    """

    def __init__(
        self, ports: WebPorts, *, threads: Threads, metrics: Metrics, images_kept: int
    ) -> None:
        self._ports = ports
        self._threads = threads
        self._metrics = metrics
        self._pairs = Kept(self._find, size=_PAIRS_KEPT)
        self._images = Kept(self._decode, size=images_kept)
        self._model_version = ""
        self._loading: asyncio.Task[None] | None = None

    async def setup(self) -> Reply:
        """Say which model it is, and begin to load it: somebody will click soon."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return {"model_version": self._model_version}

    async def predict(self, body: object) -> Reply:
        """
        Return masks for what is pending.

        Raises:
            RefusedError: 400 if the request is not what Label Studio sends, 404 for an unknown
                pair, 410 or 422 for media that cannot be read.
        """
        request = _parsed(_Request, body)
        context = request.params.context
        if context is None:
            return {"results": [[] for _ in request.tasks]}
        if len(request.tasks) != 1:
            raise RefusedError(400, f"a click belongs to one task, not to {len(request.tasks)}")
        regions = await self._assist(_parsed(_Task, request.tasks[0]), context)
        return {"results": [{"result": regions, "model_version": self._model_version}]}

    async def _assist(self, task: _Task, context: _Regions) -> list[Region]:
        asked = await self._pairs.get(_pair_id(task))
        wish = read_wish(_pending(task, context), asked.media)
        if not (wish.clicks or wish.exemplars):
            return []
        pixels_HWC = await self._images.get(asked.media.id)
        return await self._threads.call_model(partial(self._answer, task, asked, pixels_HWC, wish))

    def _answer(
        self, task: _Task, asked: AskedPair, pixels_HWC: ImageArray, wish: Wish
    ) -> list[Region]:
        """Ask the models; called on their thread."""
        masks = self._clicked(asked.media, pixels_HWC, wish) if wish.clicks else []
        if wish.exemplars:
            with self._metrics.model_seconds.labels("proposer").time():
                found = self._ports.rerun(asked, pixels_HWC, wish.exemplars)
            masks += _new(found, _present(task, asked.media))
        masks = [mask for mask in masks if mask.area_pixels > 0]
        return _regions(masks, wish, _labels(task))

    def _clicked(self, media: Media, pixels_HWC: ImageArray, wish: Wish) -> list[Mask]:
        clicker = self._ports.clicker()
        self._model_version = clicker.name
        with self._metrics.model_seconds.labels("clicker").time():
            return [
                clicker.mask(
                    media.id,
                    pixels_HWC,
                    points_xy=each.points_xy,
                    are_positive=each.are_positive,
                    box_xyxy=each.box_xyxy,
                )
                for each in wish.clicks
            ]

    async def _find(self, pair_id: str) -> AskedPair:
        found = await self._threads.call(partial(self._ports.pair, pair_id))
        if found is None:
            raise RefusedError(404, f"there is no pair {pair_id[:80]!r}")
        return found

    async def _decode(self, media_id: str) -> ImageArray:
        return await self._threads.call(partial(decoded, media_id, self._ports))

    async def _load(self) -> None:
        try:
            clicker = await self._threads.call_model(self._ports.clicker)
        except MaskloopError as exc:
            log.warning("clicks cannot be answered: %s", exc)
            self._loading = None  # at the next setup again
        else:
            self._model_version = clicker.name


def _pending(task: _Task, context: _Regions) -> list[Drawn]:
    """Return what the context holds, and the exemplars under other labels from the last draft."""
    drawn = [_parsed(Drawn, each) for each in context.result]
    labels = {exemplar_label(each) for each in drawn} - {""}
    if not labels or not task.drafts:
        return drawn
    drafted = [_parsed(Drawn, each) for each in task.drafts[-1].result if _is_box(each)]
    return [*(each for each in drafted if exemplar_label(each) not in {*labels, ""}), *drawn]


def _is_box(region: dict[str, Any]) -> bool:
    return region.get("from_name") == names.BOXES


def _there(task: _Task) -> list[dict[str, Any]]:
    """Return the regions that lie on the picture already: of the last draft, or as pushed."""
    return [region for each in (task.drafts or task.predictions)[-1:] for region in each.result]


def _present(task: _Task, media: Media) -> list[Mask]:
    return list(_brushed(_there(task), media))


def _labels(task: _Task) -> list[str]:
    """Return the labels of instances, those first of which the picture has the fewest regions."""
    values = [region.get("value") for region in _there(task)]
    used = [str(each.get("brushlabels")) for each in values if isinstance(each, dict)]
    return sorted(names.INSTANCES, key=lambda label: used.count(str([label])))


def _brushed(regions: Sequence[dict[str, Any]], media: Media) -> Iterator[Mask]:
    for region in regions:
        value = region.get("value")
        if region.get("from_name") != names.MASKS or not isinstance(value, dict):
            continue
        rle = value.get("rle")
        if rle and value.get("brushlabels") != [names.REMOVE]:
            try:
                yield decode_brush(rle, height=media.height, width=media.width)
            except InvalidMaskError:
                continue  # it can hide nothing; whoever reads the answer says what is wrong with it


def _new(found: Sequence[Mask], present: Sequence[Mask]) -> list[Mask]:
    """Return the masks that are not present already."""
    overlaps = iom(found, present)
    return [
        mask for mask, row in zip(found, overlaps, strict=True) if row.max(initial=0.0) <= _SAME_IOM
    ]


def _regions(masks: Sequence[Mask], wish: Wish, labels: Sequence[str]) -> list[Region]:
    """
    Return masks as regions to edit, each under the next of *labels*: in a colour of its own.

    Their names follow from what was drawn, so that the same request names them alike, and a later
    one never takes the place of a region that a person has worked on.
    """
    cause = " ".join(wish.region_ids)
    return [
        brush_region(
            mask,
            region_id=content_id("assist", cause=cause, place=place),
            label=labels[place % len(labels)],
        )
        for place, mask in enumerate(masks)
    ]


def _pair_id(task: _Task) -> str:
    pair_id = task.data.get(names.DATA_PAIR)
    # Postgres takes no NUL; a pair's id has letters and digits alone.
    if not (isinstance(pair_id, str) and pair_id.isascii() and pair_id.isprintable()):
        msg = f"task {task.id} names no {names.DATA_PAIR}"
        raise RefusedError(400, f"{msg}: it is none of maskloop's")
    return pair_id


def _parsed(kind: type[Parsed], body: object) -> Parsed:
    try:
        return kind.model_validate(body)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise RefusedError(400, f"{place}: {first['msg']}") from exc
