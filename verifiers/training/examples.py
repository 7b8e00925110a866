"""
A row becomes what the model is given: the path of a request, from picture to tokens.

The picture is drawn and pressed as the client does it, the texts are the client's, the request is
read by the server's own reader of prompts. Only the network between them is left out.
"""

from collections import OrderedDict
from dataclasses import dataclass

from engine.errors import PermanentError
from engine.images import decode_rgb
from engine.ports import ImageArray, MediaReader
from engine.records import Failure
from engine.verdicts import Question, VerdictTask
from verifiers.client.requests import data_url, request_body
from verifiers.render import as_jpeg, render_boxes, render_mask
from verifiers.tiny.server.prompts import Prompt, PromptReader
from verifiers.tiny.server.protocol import ChatRequest
from verifiers.training.draws import Drawn

STAGE = "train"  # of failures: rows that could not be shown
_KEPT_IMAGES = 256  # decoded; several rows are about one image


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A prompt and the one token that answers it."""

    prompt: Prompt
    answer: int  # token id of the letter
    letters: tuple[int, ...]  # token ids of all letters that may be answered
    task: VerdictTask


class ExampleMaker:
    """
    Makes examples. To be used by one thread at a time.

    Args:
        reader: Of the model's prompts, as its server has it.

        media: Where the images are read.

        panel_side: Pixels, see `verifiers.render`.
    """

    def __init__(self, reader: PromptReader, media: MediaReader, *, panel_side: int) -> None:
        self._reader = reader
        self._media = media
        self._side = panel_side
        self._decoded: OrderedDict[str, ImageArray] = OrderedDict()

    def make(self, drawn: Drawn) -> Example | Failure:
        """Return the example; a failure where the image is gone or the mask does not fit it."""
        question = drawn.row.question
        try:
            prompt = self._prompt(drawn)
        except (PermanentError, ValueError) as error:
            reason = error.reason if isinstance(error, PermanentError) else "invalid_mask"
            return Failure(
                stage=STAGE, subject_id=question.subject_id, reason=reason, detail=str(error)
            )
        return Example(
            prompt=prompt,
            answer=prompt.allowed[drawn.order.index(drawn.row.option)],
            letters=prompt.allowed,
            task=question.task,
        )

    def _prompt(self, drawn: Drawn) -> Prompt:
        question = drawn.row.question
        body = request_body(
            question,
            drawn.order,
            image_url=self._image_url(question),
            model="",
            dialect="structured_outputs",
        )
        return self._reader.read(ChatRequest.model_validate(body))

    def _image_url(self, question: Question) -> str:
        if question.task is VerdictTask.GROUNDABILITY:
            return ""
        pixels_HWC = self._pixels(question.media_id)
        if question.task is VerdictTask.MASK:
            picture_HWC = render_mask(pixels_HWC, question.masks[0], side=self._side)
        else:
            picture_HWC = render_boxes(pixels_HWC, question.masks, side=self._side)
        return data_url(as_jpeg(picture_HWC))

    def _pixels(self, media_id: str) -> ImageArray:
        if media_id not in self._decoded:
            self._decoded[media_id] = decode_rgb(self._media.read(media_id), name=media_id)
            if len(self._decoded) > _KEPT_IMAGES:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(media_id)
        return self._decoded[media_id]
