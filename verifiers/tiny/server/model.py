"""
The model: prompts in, the logits of the next token out.

Any image-text model of transformers works through `ImageTextModel`; `verifiers.tiny.server.llava`
is faster for one kind. To be used by one thread.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from verifiers.tiny.server.prompts import Prompt


class ImageTextModel:
    """Any image-text model, asked the way transformers generates."""

    def __init__(self, model: PreTrainedModel, *, padding: int) -> None:
        self._model: Any = model
        self._padding = padding
        self._device = model.device

    @torch.inference_mode()
    def logits(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """
        Return the logits of the token after each prompt, shape (N, V), float32 on the CPU.

        Prompts of different lengths are padded at the left. Those whose pictures cannot lie in one
        tensor are computed one after the other.
        """
        groups: defaultdict[object, list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            groups[_shapes(prompt)].append(index)
        rows: dict[int, torch.Tensor] = {}
        for indices in groups.values():
            found = self._forward([prompts[index] for index in indices])
            rows.update(zip(indices, found.float().cpu(), strict=True))
        return torch.stack([rows[index] for index in range(len(prompts))])

    def _forward(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Return the logits, shape (N, V), of prompts whose pictures have like shapes."""
        answer = self._model.generate(
            **self._inputs(prompts),
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        logits: torch.Tensor = answer.logits[0]
        return logits

    def _inputs(self, prompts: Sequence[Prompt]) -> Mapping[str, torch.Tensor]:
        inputs = self.padded([prompt.sequences for prompt in prompts])
        for name in prompts[0].visuals:
            inputs[name] = torch.cat([prompt.visuals[name] for prompt in prompts])
        return {name: value.to(self._device) for name, value in inputs.items()}

    def padded(self, rows: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """Return each sequence of all rows as one tensor, (N, longest), filled at the left."""
        longest = max(len(row["input_ids"]) for row in rows)
        filled = {}
        for name in rows[0]:
            filler = self._padding if name == "input_ids" else 0
            filled[name] = torch.stack(
                [
                    torch.nn.functional.pad(row[name], (longest - len(row[name]), 0), value=filler)
                    for row in rows
                ]
            )
        return filled


def _shapes(prompt: Prompt) -> frozenset[tuple[str, tuple[int, ...]]]:
    """What must be equal for two prompts to be joined along the first dimension."""
    return frozenset((name, tuple(value.shape[1:])) for name, value in prompt.visuals.items())
