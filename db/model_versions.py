"""Which weights there have been, so that the names in proposals and verdicts mean something."""

from sqlalchemy.orm import Session

from db.bulk import add_rows
from db.tables import ModelVersionRow


def add_model_version(
    session: Session, *, name: str, role: str, weights_uri: str, parent: str = ""
) -> bool:
    """
    Write a model version unless it is known, and return whether it was new.

    Args:
        session: An open transaction.

        name: Kind and weights digest, such as "sam3@3f9c0a12b4d5e6f7", as facts name their maker.

        role: What it does, such as "proposer".

        weights_uri: Where the weights lie.

        parent: The name of the version it was trained from; "" for none.
    """
    columns = ("name", "role", "weights_uri", "parent")
    return bool(add_rows(session, ModelVersionRow, columns, [(name, role, weights_uri, parent)]))
