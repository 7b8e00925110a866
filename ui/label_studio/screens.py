"""
What people see: the screens of the queues, as files.

  configs/<queue>.xml        a labelling config; one that asks about a mask, or for exhaustivity,
                             lists the options of the verifiers, each with its key and what it means
  instructions/<queue>.html  what is read before the first task

One screen, that of the audit, asks several things: its options come with each task, as they are
written in the screens that ask one thing.
"""

from functools import lru_cache
from importlib.resources import files
from typing import TypeAlias
from xml.etree import ElementTree

from engine.queues import Asked, Queue
from engine.verdicts import Option
from ui.label_studio.names import DECISION

Choice: TypeAlias = dict[str, str]  # attributes of a choice: value, hotkey, html

_LISTED_IN = {Asked.MASK: Queue.MASK_VERIFICATION, Asked.EXHAUSTIVITY: Queue.EXHAUSTIVITY}
_HTML = "<kbd>{key}</kbd><b>{option}</b><small>{meaning}</small>"
_GROUNDABILITY = {
    Option.GROUNDABLE: "It names things that can be seen, told apart and covered by a mask.",
    Option.UNGROUNDABLE: "A place, a mood, a quality, nothing definite, or the picture as a whole.",
}


def screen(queue: Queue) -> str:
    """Return the labelling config of a queue."""
    return _text(f"configs/{queue}.xml")


def instruction(queue: Queue) -> str:
    """Return what people read before they begin, as HTML."""
    return _text(f"instructions/{queue}.html")


@lru_cache
def choices(asked: Asked) -> tuple[Choice, ...]:
    """Return the choices of a question that has options, in their order."""
    if asked in _LISTED_IN:
        return _listed(_LISTED_IN[asked])
    return tuple(
        {
            "value": option.value,
            "hotkey": str(key),
            "html": _HTML.format(key=key, option=option.value, meaning=meaning),
        }
        for key, (option, meaning) in enumerate(_GROUNDABILITY.items(), 1)
    )


def _listed(queue: Queue) -> tuple[Choice, ...]:
    tags = ElementTree.fromstring(screen(queue)).iterfind(f".//Choices[@name='{DECISION}']/Choice")
    return tuple(dict(tag.attrib) for tag in tags)


def _text(path: str) -> str:
    """Return the text of a file, without the white space at its ends that Label Studio cuts off."""
    return (files(__package__) / path).read_text("utf-8").strip()
