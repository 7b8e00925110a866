"""The demo keeps to itself."""

from demo.main_job import own_settings
from flows.settings import Settings


def test_the_demo_asks_no_outside_service() -> None:
    given = Settings.model_validate(
        {
            "database_url": "postgresql://u@h/db",
            "prefect_api_url": "http://h/api",
            "blobs": {"url": "s3://bucket/prefix"},
            "verifier": {"endpoints": "http://h/v1", "model": "large", "num_orders": 3},
        }
    )
    own = own_settings(given)

    assert ("", "", "") == (
        own.database_url.get_secret_value(),
        own.prefect_api_url,
        own.blobs.url,
    )
    assert ((), "", 3) == (own.verifier.addresses, own.verifier.model, own.verifier.num_orders)
    assert given.home / "demo" == own.home
