"""Urls and errors, without a server."""

import pytest

from db.session import check_connection, make_engine
from engine.errors import ConfigError, DatabaseUnavailableError


@pytest.mark.parametrize(
    "url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"]
)
def test_the_driver_is_always_psycopg2(url: str) -> None:
    assert "postgresql+psycopg2" == make_engine(url).url.drivername


@pytest.mark.parametrize("url", ["", "sqlite:///x.db", "mysql://h/d"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"use postgresql://|needs Postgres"):
        make_engine(url)


def test_an_unreachable_database_is_named_without_its_password() -> None:
    engine = make_engine("postgresql://anna:s3cret@127.0.0.1:1/maskloop")

    with pytest.raises(DatabaseUnavailableError, match=r"anna:\*\*\*@127\.0\.0\.1:1") as caught:
        check_connection(engine)
    assert "s3cret" not in str(caught.value)
