"""
A tiny verifier in training: its state and one step.

  teach    the convolutional teacher alone
  see      tower and projector learn the labels of patches, and imitate the teacher, which learns on
  answer   the language model answers, beside the same losses; phrases learn to find their patches
  settle   answers and the patches of phrases alone, with a lower and falling rate

All that a step draws follows from the recipe's seed and the step's number.
"""

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.verifier.beginning import initialise
from demo.verifier.cells import WORDS, Cells, cells_of
from demo.verifier.forward import Answered, Seen, answer, as_tensor, see
from demo.verifier.lessons import Lesson, draw_lessons
from demo.verifier.packing import Packed, Packer, Question
from demo.verifier.recipe import Recipe
from demo.verifier.seeing import Imitation, PatchHeads, Teacher
from demo.verifier.words import every_text
from engine.errors import ConfigError
from models.training.optimisers import follow, parameter_groups
from verifiers.tiny.architecture import build_tokenizer, build_verifier, word_embeddings

_BETAS = (0.9, 0.98)
_MATCH_BIAS = -1.5  # most patches are not what a phrase names
_MATCH_BALANCE = 3.0  # extra weight of those that are


class Helpers(nn.Module):
    """Everything that is trained beside the verifier and thrown away."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.teacher = Teacher()
        self.imitation = Imitation(width, self.teacher.width)
        self.heads = PatchHeads(width)
        self.match_phrase = nn.Linear(width, width)
        self.match_patch = nn.Linear(width, width)


class VerifierRun:
    """A verifier in training, with everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.tokenizer = build_tokenizer(every_text())
        self.model = build_verifier(self.tokenizer).train()
        initialise(self.model)
        self.average = copy.deepcopy(self.model).eval()  # what is saved: steadier than the model
        self.helpers = Helpers(self.model.config.text_config.hidden_size)
        self.step = 0
        self.cpu_seconds = 0.0
        self._packer = Packer(self.tokenizer)
        self._word_ids_N = torch.tensor(self._ids(name for words in WORDS for name in words))
        self._optimiser = torch.optim.AdamW(
            parameter_groups([self.model, self.helpers], weight_decay=recipe.weight_decay),
            lr=recipe.rate,
            betas=_BETAS,
            fused=True,
        )

    def learn(self) -> dict[str, float]:
        """Make one step and return the parts of its loss."""
        started = time.process_time()
        recipe, phase = self.recipe, self.recipe.phase(self.step)
        self._set_rate()
        lessons = draw_lessons(
            recipe.pictures,
            seed=recipe.seed,
            step=self.step,
            offered_share=recipe.offered_share if phase == "settle" else 0.0,
        )
        pictures_B3SS = as_tensor([lesson.picture_SS3 for lesson in lessons])
        loss, parts = getattr(self, f"_{phase}")(lessons, pictures_B3SS)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        learning = [p for p in self._parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(learning, recipe.most_gradient)
        self._optimiser.step()
        if phase != "teach":
            since = self.step - recipe.teach_steps
            follow(self.average, self.model, step=since, decay=recipe.average_decay)
        self.step += 1
        self.cpu_seconds += time.process_time() - started
        return {**parts, "loss": loss.item()}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "helpers": self.helpers.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """
        Go on where *state* was taken.

        Raises:
            ConfigError: If it was taken from a run of another recipe.
        """
        if state["recipe"] != asdict(self.recipe):
            msg = f"the checkpoint was made with {state['recipe']}, not with {self.recipe}"
            raise ConfigError(f"{msg}: choose another folder or the same settings")
        self.step = state["step"]
        self.cpu_seconds = state["cpu_seconds"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.helpers.load_state_dict(state["helpers"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _teach(
        self, lessons: list[Lesson], pictures_B3SS: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        loss, _, parts = self._teacher_loss(pictures_B3SS, cells_of(lessons))
        return loss, parts

    def _see(self, lessons: list[Lesson], pictures_B3SS: Tensor) -> tuple[Tensor, dict[str, float]]:
        cells, seen = cells_of(lessons), see(self.model, pictures_B3SS)
        teacher_loss, shown, of_teacher = self._teacher_loss(pictures_B3SS, cells)
        loss, parts = self._patch_loss(seen, shown, cells)
        return loss + teacher_loss, {**parts, "teacher": of_teacher["kind0"]}

    def _answer(
        self, lessons: list[Lesson], pictures_B3SS: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        cells, seen = cells_of(lessons), see(self.model, pictures_B3SS)
        self.helpers.teacher.eval()
        with torch.no_grad():
            shown = self.helpers.teacher(pictures_B3SS)
        patch_loss, parts = self._patch_loss(seen, shown, cells)
        answer_loss, answered, packed, more = self._answer_loss(lessons, seen)
        match = self._match_loss(lessons, answered, packed, cells)
        recipe = self.recipe
        loss = answer_loss + recipe.patch_weight * patch_loss + recipe.match_weight * match
        return loss, {**parts, **more, "match": match.item()}

    def _settle(
        self, lessons: list[Lesson], pictures_B3SS: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        answer_loss, answered, packed, parts = self._answer_loss(
            lessons, see(self.model, pictures_B3SS)
        )
        match = self._match_loss(lessons, answered, packed, cells_of(lessons))
        return answer_loss + self.recipe.match_weight * match, {**parts, "match": match.item()}

    def _teacher_loss(
        self, pictures_B3SS: Tensor, cells: Cells
    ) -> tuple[Tensor, tuple[Tensor, Tensor], dict[str, float]]:
        """The teacher's own loss, what it shows, and what was right."""
        teacher = self.helpers.teacher
        early_BPC, late_BPC = teacher(pictures_B3SS)
        loss, parts = teacher.heads(late_BPC, teacher.words, cells)
        return loss, (early_BPC.detach(), late_BPC.detach()), parts

    def _patch_loss(
        self, seen: Seen, shown: tuple[Tensor, Tensor], cells: Cells
    ) -> tuple[Tensor, dict[str, float]]:
        """Patches must show their labels, by the language model's own words, and the teacher's."""
        words_NC = word_embeddings(self.model)(self._word_ids_N)
        loss, parts = self.helpers.heads(seen.late_BPC, words_NC, cells)
        imitation = self.helpers.imitation(seen.early_BPC, seen.late_BPC, shown)
        loss = loss + self.recipe.imitation_weight * imitation
        return loss, {**parts, "imitation": imitation.item()}

    def _answer_loss(
        self, lessons: list[Lesson], seen: Seen
    ) -> tuple[Tensor, Answered, Packed, dict[str, float]]:
        packed = self._packer.pack(
            [
                [
                    Question(text=one.text, answer=one.answer, sees_picture=one.sees_picture)
                    for one in lesson.asked
                ]
                for lesson in lessons
            ]
        )
        answered = answer(self.model, seen, packed)
        loss = functional.cross_entropy(answered.logits_QV, packed.answers_Q)
        right_Q = (answered.logits_QV.argmax(-1) == packed.answers_Q).tolist()
        return loss, answered, packed, {"answers": loss.item(), **_shares(lessons, right_Q)}

    def _match_loss(
        self, lessons: list[Lesson], answered: Answered, packed: Packed, cells: Cells
    ) -> Tensor:
        """The end of a phrase must resemble the patches of what it names, and no others."""
        asked = [one for lesson in lessons for one in lesson.asked]
        is_naming_Q = torch.tensor([one.meant is not None for one in asked])
        owner_QP = cells.owner_BP[packed.sequence_Q]
        wanted_QP = torch.stack(
            [
                torch.isin(owner_P, torch.tensor([i + 1 for i in one.meant or ()]))
                for owner_P, one in zip(owner_QP, asked, strict=True)
            ]
        ).float()
        phrases_Q1C = self.helpers.match_phrase(answered.phrases_QC)[:, None]
        patches_QPC = self.helpers.match_patch(answered.patches_QPC)
        logits_QP = (phrases_Q1C * patches_QPC).sum(-1) / patches_QPC.shape[-1] ** 0.5
        loss_QP = functional.binary_cross_entropy_with_logits(
            logits_QP + _MATCH_BIAS, wanted_QP, reduction="none"
        )
        return (loss_QP * (1 + _MATCH_BALANCE * wanted_QP))[is_naming_Q].mean()

    def _set_rate(self) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(self.step)

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.helpers.parameters()]

    def _ids(self, names: Iterable[str]) -> list[int]:
        ids = self.tokenizer.convert_tokens_to_ids(list(names))
        assert isinstance(ids, list)
        return ids


def _shares(lessons: list[Lesson], right_Q: list[bool]) -> dict[str, float]:
    """How many answers were right, by task and sort of question."""
    counts: dict[str, list[bool]] = {}
    asked = [(lesson, one) for lesson in lessons for one in lesson.asked]
    for (lesson, one), right in zip(asked, right_Q, strict=True):
        sort = "letter" if len(one.answer) == 1 else "word"
        name = f"{lesson.task[:2]}_{sort}" if one.sees_picture else "blind"
        counts.setdefault(name, []).append(right)
    return {name: sum(some) / len(some) for name, some in counts.items()}
