"""
What a verifier is asked, in words. The texts lie in `verifiers/prompts`, after the SAM 3 paper's
verifier prompts (appendix D.4) in our own words; every verdict keeps the content id of its texts.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from engine.ids import content_id
from engine.verdicts import Option, VerdictTask

LETTERS = "ABCDEFGH"


def system_text(task: VerdictTask, *, has_masks: bool) -> str:
    """Return the guidance of a task."""
    boxes = "one or multiple red boxes" if has_masks else "zero red boxes"
    return _text(f"{task}.system").replace("{boxes}", boxes)


def user_text(task: VerdictTask, phrase: str, order: Sequence[Option], *, has_masks: bool) -> str:
    """
    Return the question about *phrase*, with a letter for each option of *order*.

    The phrase stands as a JSON string: quotes and line breaks in it cannot end it.
    """
    is_zero_boxes = task is VerdictTask.EXHAUSTIVITY and not has_masks
    template = _text(f"{task}_zero.user" if is_zero_boxes else f"{task}.user")
    options = [f"({letter}) {option}" for letter, option in zip(LETTERS, order, strict=False)]
    quoted = json.dumps(phrase, ensure_ascii=False)
    # The options first: a phrase that reads "{options}" stays a phrase.
    return template.replace("{options}", "\n".join(options)).replace("{phrase}", quoted)


@lru_cache
def prompt_hash(task: VerdictTask) -> str:
    """Return the content id of all texts of a task, the wording for zero boxes included."""
    names = sorted(name for name in _names() if name.split(".")[0].split("_")[0] == task)
    return content_id("prompt", **{name.replace(".", "_"): _text(name) for name in names})


@lru_cache
def _text(name: str) -> str:
    return (files("verifiers") / "prompts" / f"{name}.txt").read_text("utf-8").removesuffix("\n")


def _names() -> list[str]:
    folder = files("verifiers") / "prompts"
    return [file.name.removesuffix(".txt") for file in folder.iterdir()]
