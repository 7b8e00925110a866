"""
What a verifier is asked, in words. The texts lie beside this file, after the SAM 3 paper's
verifier prompts (appendix D.4) in our own words; every verdict keeps the content id of its texts.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from engine.ids import content_id
from engine.verdicts import Option, VerdictTask

LETTERS = "ABCDEFGH"

_BOXES = {True: "one or multiple red boxes", False: "zero red boxes"}
_LETTERED = "({letter}) {option}"

# What JSON leaves as it is, and would not stay a phrase: other line ends; halves of a character
# outside the first plane, which no encoding takes; and < and [, with which the special tokens of
# language models begin ("<|eot_id|>", "<image>", "[INST]"): tokenizers find them anywhere.
_NOT_IN_A_PHRASE = re.compile("[<\\[\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")


def system_text(task: VerdictTask, *, has_masks: bool) -> str:
    """Return the guidance of a task."""
    return _text(f"{task}.system").replace("{boxes}", _BOXES[has_masks])


def user_text(task: VerdictTask, phrase: str, order: Sequence[Option], *, has_masks: bool) -> str:
    """
    Return the question about *phrase*, with a letter for each option of *order*.

    The phrase stands as a JSON string: nothing in it can end it, or be more than text.
    """
    is_zero_boxes = task is VerdictTask.EXHAUSTIVITY and not has_masks
    template = _text(f"{task}_zero.user" if is_zero_boxes else f"{task}.user")
    options = [
        _LETTERED.format(letter=letter, option=option)
        for letter, option in zip(LETTERS, order, strict=False)
    ]
    # The options first: a phrase that reads "{options}" stays a phrase.
    return template.replace("{options}", "\n".join(options)).replace("{phrase}", quoted(phrase))


def quoted(phrase: str) -> str:
    """Return *phrase* as a JSON string that is one line and holds no special token of a model."""
    text = json.dumps(phrase, ensure_ascii=False)
    return _NOT_IN_A_PHRASE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@lru_cache
def prompt_hash(task: VerdictTask) -> str:
    """Return the content id of all texts of a task, the wording for zero boxes included."""
    names = sorted(name for name in _names() if name.split(".")[0].split("_")[0] == task)
    texts = {name.replace(".", "_"): _text(name) for name in names}
    return content_id(
        "prompt", options=_LETTERED, boxes=_BOXES[True], zero_boxes=_BOXES[False], **texts
    )


@lru_cache
def _text(name: str) -> str:
    return (files(__name__) / f"{name}.txt").read_text("utf-8").removesuffix("\n")


def _names() -> list[str]:
    found = (file.name for file in files(__name__).iterdir())
    return [name.removesuffix(".txt") for name in found if name.endswith(".txt")]
