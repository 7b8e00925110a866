"""
What Label Studio is told of our web app: where its news go, and who makes masks from clicks.

A webhook and, where people draw, an assist backend for each project. They are found again by the
end of their address, so that an app which moved is not told twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.queues import Queue
from ui.label_studio.api import Api, Row
from ui.label_studio.names import QUEUES_THAT_DRAW

WEBHOOK_PATH = "/webhooks/label-studio"
ASSIST_PATH = "/assist"
_ADDED_PATH = f"{ASSIST_PATH}/webhook"
# Not the model version of our predictions: Label Studio would ask the backend for those, too, and
# show what it answers in place of them.
ASSIST_TITLE = "maskloop clicks"
_ACTIONS = ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How Label Studio reaches the web app."""

    app: str  # its address, without a slash at the end
    webhook_headers: Mapping[str, str]  # by which the app knows Label Studio
    assist_user: str  # of basic authentication
    assist_password: str

    @property
    def webhook_url(self) -> str:
        return f"{self.app}{WEBHOOK_PATH}"

    @property
    def assist_url(self) -> str:
        return f"{self.app}{ASSIST_PATH}"


def link_projects(api: Api, projects: Mapping[Queue, int], links: Links) -> None:
    """
    Tell the project of each queue where the app is. Doing it again changes nothing.

    The app must run: Label Studio asks an assist backend whether it is well before it takes it.

    Raises:
        ServiceUnavailableError: If Label Studio does not answer.
        DeskRefusedError: If it does not take an address.
    """
    for queue, project_id in projects.items():
        _link(api, "/api/webhooks/", WEBHOOK_PATH, _webhook(project_id, links))
        if queue in QUEUES_THAT_DRAW:
            _link(api, "/api/ml/", ASSIST_PATH, _assist(project_id, links), end="")
            _take_away(api, project_id, _ADDED_PATH)


def _link(api: Api, path: str, ending: str, wanted: Row, *, end: str = "/") -> None:
    """
    Make what is *wanted*, or change what is there to it.

    A backend's password cannot be read back, so a backend is written every time.

    Args:
        api: Of the server.

        path: Where all of the kind are.

        ending: Of the address by which ours is found among them.

        wanted: What ours shall be.

        end: Of the path of a single one: Label Studio's paths do not all end alike.
    """
    ours = [
        row
        for row in api.listed(path, project=wanted["project"])
        if str(row.get("url", "")).endswith(ending)
    ]
    if not ours:
        api.http.post(path, dict(wanted))
    elif any(ours[0].get(name) != value for name, value in wanted.items()):
        api.http.patch(f"{path}{ours[0]['id']}{end}", dict(wanted))


def _take_away(api: Api, project_id: int, ending: str) -> None:
    """
    Remove the webhook that Label Studio itself adds to every new backend.

    It carries no secret of ours, so that each would be refused, and sends all of every answer.
    """
    for row in api.listed("/api/webhooks/", project=project_id):
        if str(row.get("url", "")).endswith(ending):
            api.http.delete(f"/api/webhooks/{row['id']}/")


def _webhook(project_id: int, links: Links) -> Row:
    return {
        "project": project_id,
        "url": links.webhook_url,
        "send_payload": False,  # it is a hint: what happened is read from the server itself
        "send_for_all_actions": False,
        "is_active": True,
        "actions": _ACTIONS,
        "headers": dict(links.webhook_headers),
    }


def _assist(project_id: int, links: Links) -> Row:
    return {
        "project": project_id,
        "url": links.assist_url,
        "title": ASSIST_TITLE,
        "is_interactive": True,  # it is asked at every click
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": links.assist_user,
        "basic_auth_pass": links.assist_password,
    }
