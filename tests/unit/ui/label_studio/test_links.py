"""What Label Studio is told of the web app does not take our masks off its screens."""

from ui.label_studio.links import ASSIST_TITLE
from ui.label_studio.to_tasks import MODEL_VERSION


def test_the_assist_backend_is_not_taken_for_the_maker_of_our_predictions() -> None:
    """Under one name Label Studio shows the backend's predictions, and there are none."""
    assert ASSIST_TITLE != MODEL_VERSION
