"""
The names that screens, tasks, answers and the assist backend share.

A screen (configs/*.xml) names its tags, a task fills `DATA_*`, regions and choices come back with
the tag's name as `from_name`. A test holds the screens to these names.
"""

from engine.queues import Queue

# Tags of a screen.
IMAGE = "image"
MASKS = "masks"  # brush: the instances, on screens where people draw
CLICKS = "clicks"  # key points that the assist backend turns into a mask
BOXES = "boxes"  # rectangles that the assist backend turns into masks
REJECTION = "rejection"  # why there is no set of masks
SHOWN = "shown"  # brush, read only: the masks that a question is about
SHOWN_BOX = "shown_box"  # rectangle, read only: the box of such a mask
DECISION = "decision"  # the one choice where people decide: an `engine.verdicts.Option`

# Labels of MASKS.
INSTANCE = "instance"  # one region is one instance
INSTANCES = (INSTANCE, *(f"instance {number}" for number in range(2, 9)))  # the same: a colour each
GROUP = "group"  # one region over several instances that cannot be told apart
REMOVE = "remove"  # the region is left out

# Labels of SHOWN and SHOWN_BOX: one colour each, taken in turn; a group mask is always white.
SHOWN_LABELS = tuple(f"{number}" for number in range(1, 9))
SHOWN_GROUP = GROUP

# Labels of BOXES, which become masks by `ui.web.assist`. Label Studio sends the regions that are
# pending under the same label together, and those of another label by themselves. Clicks have no
# label, so that nothing has to be chosen between two of them; one with Alt held says "not this" and
# comes with `is_positive` false.
BOX = "box"  # around one instance: make its mask
LIKE_THIS = "like this"  # around an instance: find all that look like it
NOT_LIKE_THIS = "not like this"

# Data of a task.
DATA_ITEM = "item"  # id of the queue item: a task is pushed once for each
DATA_ASKED = "asked"
DATA_PAIR = "pair"
DATA_IMAGE = "image"  # address of the picture
DATA_WIDTH = "width"  # pixels
DATA_HEIGHT = "height"  # pixels
DATA_MASK_IDS = "mask_ids"  # ids of the masks that are shown, in the order of the regions
DATA_PHRASE = "phrase"
DATA_DEFINITION = "definition"
DATA_QUESTION = "question"  # in words
DATA_REFERENCES = "references"  # pictures of the concept, as HTML
DATA_OPTIONS = "options"  # what can be chosen, where one screen asks several things

QUEUES_THAT_DRAW = frozenset({Queue.CORRECTION, Queue.GOLD})
