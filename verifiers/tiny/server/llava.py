"""
LLaVA with a memory: what was computed about a picture is kept for the next question about it.

Templates that put pictures first give all questions about a picture the same beginning: all option
orders of a mask, and all phrases asked about one image without boxes. The keys and values of that
beginning are kept, as vLLM's prefix cache keeps them; a further question then costs its own text
alone.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from verifiers.tiny.server.model import ImageTextModel
from verifiers.tiny.server.prompts import Prompt

_MAX_BYTES = 1 << 27  # of beginnings; one of the bundled model has half a megabyte

_Key = tuple[bytes, ...]  # token ids, then the pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One prompt of a batch."""

    index: int
    prompt: Prompt
    end: int  # how many tokens there are up to the last picture's end; 0 without pictures
    key: _Key  # of the beginning up to there; () without pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """Keys and values of each layer for the tokens up to the last picture's end."""

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]  # each (1, heads, length, width)

    @property
    def num_bytes(self) -> int:
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)


class Llava(ImageTextModel):
    """A `LlavaForConditionalGeneration`."""

    def __init__(self, model: PreTrainedModel, *, padding: int) -> None:
        super().__init__(model, padding=padding)
        self._image_token = int(model.config.image_token_id)
        self._kept: OrderedDict[_Key, _Beginning] = OrderedDict()
        self._kept_bytes = 0

    @torch.inference_mode()
    def logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        rows = [self._row(index, prompt) for index, prompt in enumerate(prompts)]
        beginnings = {row.key: self._kept[row.key] for row in rows if row.key in self._kept}
        first = {row.key: row for row in reversed(rows) if row.key not in beginnings}
        new = [row for row in rows if not row.key or first.get(row.key) is row]
        found = self._whole(new, beginnings) if new else {}
        groups: defaultdict[int, list[_Row]] = defaultdict(list)
        for row in rows:
            if row.index not in found:
                groups[row.end].append(row)
        for group in groups.values():
            found |= self._continued(group, beginnings)
        self._keep(beginnings)
        return torch.stack([found[row.index] for row in rows]).float().cpu()

    def _row(self, index: int, prompt: Prompt) -> _Row:
        places = (prompt.input_ids == self._image_token).nonzero()
        if not prompt.pictures or not len(places):
            return _Row(index=index, prompt=prompt, end=0, key=())
        end = min(int(places[-1]) + 1, len(prompt.input_ids) - 1)
        tokens = prompt.input_ids[:end].numpy().tobytes()
        key = (tokens, *(picture.key for picture in prompt.pictures))
        return _Row(index=index, prompt=prompt, end=end, key=key)

    def _whole(
        self, rows: Sequence[_Row], beginnings: dict[_Key, _Beginning]
    ) -> dict[int, torch.Tensor]:
        """Return the logits by index; what was computed of the beginnings is added to those."""
        inputs = self.padded([row.prompt.sequences for row in rows])
        pixels = [row.prompt.visuals["pixel_values"] for row in rows if row.prompt.pictures]
        if pixels:
            inputs["pixel_values"] = torch.cat(pixels)
        inputs["position_ids"] = _positions(inputs["attention_mask"])
        answer = self._run(inputs)
        longest = inputs["input_ids"].shape[1]
        for place, row in enumerate(rows):
            if row.key:
                start = longest - len(row.prompt.input_ids)
                cut = (slice(place, place + 1), slice(None), slice(start, start + row.end))
                layers = answer.past_key_values.layers
                beginnings[row.key] = _Beginning(
                    layers=tuple(
                        (each.keys[cut].clone(), each.values[cut].clone()) for each in layers
                    )
                )
        return {row.index: logits for row, logits in zip(rows, answer.logits[:, -1], strict=True)}

    def _continued(
        self, rows: Sequence[_Row], beginnings: Mapping[_Key, _Beginning]
    ) -> dict[int, torch.Tensor]:
        """Return the logits by index of prompts whose beginnings are known and equally long."""
        length = rows[0].end
        inputs = self.padded(
            [{name: each[length:] for name, each in row.prompt.sequences.items()} for row in rows]
        )
        mask = torch.nn.functional.pad(inputs["attention_mask"], (length, 0), value=1)
        inputs |= {"attention_mask": mask, "position_ids": _positions(mask)[:, length:]}
        layers = zip(*(beginnings[row.key].layers for row in rows), strict=True)
        joined = [tuple(map(torch.cat, zip(*layer, strict=True))) for layer in layers]
        answer = self._run(inputs, past_key_values=DynamicCache(joined))
        return {row.index: logits for row, logits in zip(rows, answer.logits[:, -1], strict=True)}

    def _run(self, inputs: Mapping[str, torch.Tensor], **more: object) -> Any:
        placed = {name: each.to(self._device) for name, each in inputs.items()}
        return self._model(**placed, **more, use_cache=True, logits_to_keep=1)

    def _keep(self, beginnings: Mapping[_Key, _Beginning]) -> None:
        """Keep what was used last, within the limit."""
        for key, beginning in beginnings.items():
            if key not in self._kept:
                self._kept_bytes += beginning.num_bytes
            self._kept[key] = beginning
            self._kept.move_to_end(key)
        while self._kept_bytes > _MAX_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= dropped.num_bytes


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Return each token's place in its own prompt; whatever for the filling."""
    return (mask.cumsum(1) - 1).clamp(min=0)
