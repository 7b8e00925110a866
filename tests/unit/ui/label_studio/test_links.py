"""What Label Studio is told of the web app, and what it adds of its own accord."""

import json
from typing import Any
from urllib.parse import urlsplit

from engine.queues import Queue
from tests.desk_server import Reply, Request, serving
from ui.label_studio.api import Api
from ui.label_studio.http import Http
from ui.label_studio.links import ASSIST_TITLE, Links, link_projects
from ui.label_studio.to_tasks import MODEL_VERSION

PROJECT = 7
APP = "http://app:1"
LINKS = Links(app=APP, webhook_headers={"x": "y"}, assist_user="u", assist_password="p")


class Server:
    """Keeps the webhooks and backends of one project, and adds a webhook to each new backend."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"webhooks": [], "ml": []}

    def add(self, kind: str, row: dict[str, Any]) -> dict[str, Any]:
        row = {"id": 1 + sum(map(len, self.rows.values())), **row}
        self.rows[kind].append(row)
        if kind == "ml":
            self.add("webhooks", {"project": PROJECT, "url": row["url"] + "/webhook"})
        return row

    def __call__(self, request: Request) -> Reply:
        _, _, kind, *number = urlsplit(request.path).path.rstrip("/").split("/")
        rows = self.rows[kind]
        match request.method:
            case "GET":
                found: object = rows
            case "POST":
                found = self.add(kind, json.loads(request.body))
            case "PATCH":
                [row] = [each for each in rows if str(each["id"]) == number[0]]
                found = row | json.loads(request.body)
                row.update(found)
            case "DELETE":
                rows[:] = [each for each in rows if str(each["id"]) != number[0]]
                return Reply(status=204, body=b"")
        return Reply(body=json.dumps(found).encode())

    def hooks(self) -> list[str]:
        return [row["url"] for row in self.rows["webhooks"]]


def link(server: Server, queue: Queue = Queue.CORRECTION) -> None:
    with serving(server) as address, Http(address, "token") as http:
        link_projects(Api(http), {queue: PROJECT}, LINKS)


def test_the_assist_backend_is_not_taken_for_the_maker_of_our_predictions() -> None:
    """Under one name Label Studio shows the backend's predictions, and there are none."""
    assert ASSIST_TITLE != MODEL_VERSION


def test_what_label_studio_adds_to_a_backend_is_taken_away() -> None:
    server = Server()
    link(server)
    link(server)

    assert [f"{APP}/webhooks/label-studio"] == server.hooks()
    assert [f"{APP}/assist"] == [row["url"] for row in server.rows["ml"]]


def test_what_others_added_stays() -> None:
    server = Server()
    theirs = server.add("webhooks", {"project": PROJECT, "url": "http://theirs/webhook"})
    link(server)

    assert theirs["url"] in server.hooks()


def test_where_nobody_draws_there_is_no_backend() -> None:
    server = Server()
    link(server, Queue.EXHAUSTIVITY)

    assert ([f"{APP}/webhooks/label-studio"], []) == (server.hooks(), server.rows["ml"])
