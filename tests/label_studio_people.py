"""People who answer in Label Studio through its API, each by a token of their own."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from engine.ports import Drawing, DrawnMask
from engine.reviews import NoAnswer
from engine.verdicts import Option
from ui.label_studio import names
from ui.label_studio.http import Http
from ui.label_studio.regions import brush_region, mask_region_id

Result: TypeAlias = list[dict[str, Any]]


def a_choice(value: str, tag: str = names.DECISION) -> dict[str, Any]:
    """A choice, as the editor sends it."""
    return {
        "id": f"choice-{tag}",
        "type": "choices",
        "from_name": tag,
        "to_name": names.IMAGE,
        "value": {"choices": [value]},
    }


class People:
    """
    Speaks for many people to one server.

    Args:
        address: Of the server.

        tokens: By e-mail.
    """

    def __init__(self, address: str, tokens: Mapping[str, str]) -> None:
        self._clients = {person: Http(address, token) for person, token in tokens.items()}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def as_(self, person: str) -> Http:
        """Return the client of a person."""
        return self._clients[person]

    def answer(
        self, task_id: int, answer: Option | Drawing | NoAnswer, person: str, *, seconds: float = 5
    ) -> int:
        """Let *person* answer, and return the annotation's number."""
        mask_ids = self._mask_ids(task_id, person)
        return self.submit(
            task_id,
            result_of(answer, mask_ids),
            person,
            lead_time=seconds,
            was_cancelled=answer is NoAnswer.SKIPPED,
        )

    def submit(self, task_id: int, result: object, person: str, **fields: object) -> int:
        """Let *person* send a result, whatever it is, and return the annotation's number."""
        path = f"/api/tasks/{task_id}/annotations/"
        return int(self.as_(person).post(path, {"result": result, **fields})["id"])

    def change(
        self,
        annotation_id: int,
        task_id: int,
        answer: Option | Drawing | NoAnswer,
        person: str,
        *,
        seconds: float = 5,
    ) -> None:
        """Let *person* change the answer in an annotation."""
        result = result_of(answer, self._mask_ids(task_id, person))
        body = {"result": result, "lead_time": seconds}
        self.as_(person).patch(f"/api/annotations/{annotation_id}/", body)

    def take_back(self, annotation_id: int, person: str) -> None:
        """Let *person* delete an annotation."""
        self.as_(person).delete(f"/api/annotations/{annotation_id}/")

    def _mask_ids(self, task_id: int, person: str) -> list[str]:
        task = self.as_(person).get(f"/api/tasks/{task_id}/")
        return list(task["data"][names.DATA_MASK_IDS])


def result_of(answer: Option | Drawing | NoAnswer, mask_ids: list[str]) -> Result:
    """Return what the editor would send for *answer*."""
    if isinstance(answer, Option):
        return [a_choice(answer.value)]
    if isinstance(answer, NoAnswer):
        return []
    if answer.rejection is not None:
        return [a_choice(answer.rejection.value, names.REJECTION)]
    return [_region(index, each, mask_ids) for index, each in enumerate(answer.masks)]


def _region(index: int, drawn: DrawnMask, mask_ids: list[str]) -> dict[str, Any]:
    is_new = drawn.origin == ""
    name = f"new{index}" if is_new else mask_region_id(mask_ids.index(drawn.origin))
    label = names.GROUP if drawn.is_group else names.INSTANCE
    return brush_region(drawn.mask, region_id=name, label=label)
