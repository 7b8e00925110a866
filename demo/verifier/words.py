"""Every text that is one token to the tiny verifier."""

from demo.world.phrases import FLAGGED, UNGROUNDABLE, WHOLE_IMAGE
from demo.world.scenes import WRITINGS
from demo.world.vocabulary import every_name
from engine.verdicts import OPTIONS, VerdictTask
from verifiers.prompts import LETTERS, user_text


def every_text() -> list[str]:
    """Return letters, options, the beginnings of questions and the words of all phrases."""
    options = [option.value for some in OPTIONS.values() for option in some]
    phrases = [*every_name(), *WRITINGS, *WHOLE_IMAGE, *FLAGGED, *UNGROUNDABLE]
    words = [word for phrase in phrases for word in phrase.split()]
    return list(dict.fromkeys([*LETTERS, *options, *_beginnings(), *words]))


def _beginnings() -> list[str]:
    """What comes before the phrase in each wording."""
    texts = [
        user_text(task, "", (), has_masks=has_masks)
        for task in VerdictTask
        for has_masks in (True, False)
    ]
    return list(dict.fromkeys(text.split('"')[0].strip() for text in texts))
