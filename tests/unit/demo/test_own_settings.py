"""The demo keeps to itself."""

from pathlib import Path

from demo.main_job import own_settings
from flows.services.label_studio import venv_folder
from flows.settings import Settings


def test_the_demo_asks_no_outside_service() -> None:
    given = Settings.model_validate(
        {
            "database_url": "postgresql://u@h/db",
            "prefect_api_url": "http://h/api",
            "blobs": {"url": "s3://bucket/prefix"},
            "verifier": {"endpoints": "http://h/v1", "model": "large", "num_orders": 3},
            "review": {"address": "http://h", "token": "t", "web": {"address": "http://m"}},
        }
    )
    own = own_settings(given)

    assert ("", "", "") == (
        own.database_url.get_secret_value(),
        own.prefect_api_url,
        own.blobs.url,
    )
    assert ((), "", 3) == (own.verifier.addresses, own.verifier.model, own.verifier.num_orders)
    assert ("", "", "") == (
        own.review.address,
        own.review.token.get_secret_value(),
        own.review.web.address,
    )
    assert given.home / "demo" == own.home


def test_label_studio_is_installed_once_for_real_work_and_the_demo() -> None:
    given = Settings.model_validate({"home": "/home/of/maskloop"})
    elsewhere = Settings.model_validate({"review": {"venv": "/opt/label-studio"}})

    assert venv_folder(given.home, given.review.venv_path) == own_settings(given).review.venv_path
    assert Path("/opt/label-studio") == own_settings(elsewhere).review.venv_path
