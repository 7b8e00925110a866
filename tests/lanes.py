"""
How pytest-xdist shares the tests out: by file, what takes longest first.

All tests of Label Studio are one lane, because its first start takes almost a minute. Whoever is
not named here comes later, and tests without services last: they fill what is left.
"""

from xdist.scheduler import LoadScopeScheduling

LABEL_STUDIO = "Label Studio"

_WITH_LABEL_STUDIO = (
    "tests/browser/",
    "tests/contract/test_review_desk.py",
    "tests/integration/test_label_studio_accounts.py",
    "tests/integration/test_label_studio_desk.py",
    "tests/integration/test_label_studio_network.py",
    "tests/integration/test_label_studio_server.py",
    "tests/integration/test_review_crashes.py",
    "tests/integration/test_web_label_studio.py",
)
_FIRST = (
    "tests/integration/test_demo.py",
    LABEL_STUDIO,
    # Whoever has two tests left is given a file more: here it is one that waits behind the demo.
    "tests/unit/engine/test_ids.py",
    "tests/integration/test_kill_nine.py",
    "tests/integration/test_command_line.py",
    "tests/integration/test_verify_command.py",
)


class Lanes(LoadScopeScheduling):
    """Gives each process one lane after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def lane_of(nodeid: str) -> str:
    """Return what runs in the same process as this test."""
    file = nodeid.partition("::")[0]
    return LABEL_STUDIO if file.startswith(_WITH_LABEL_STUDIO) else file


def place_of(nodeid: str) -> int:
    """Return when this test has its turn."""
    lane = lane_of(nodeid)
    if lane in _FIRST:
        return _FIRST.index(lane)
    return len(_FIRST) + lane.startswith("tests/unit/")
