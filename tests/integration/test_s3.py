"""The main job on images in S3, against moto's server: read there, copied there, copied here."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from tests.commands import CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "us-east-1",
}
COLOURS = ("red", "two words \u00fc#", "sub/blue")


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a server with three images and a broken one below s3://photos/in."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint_url)
    for bucket in ("photos", "kept"):
        client.create_bucket(Bucket=bucket)
    for shade, name in enumerate(COLOURS):
        client.put_object(Bucket="photos", Key=f"in/{name}.png", Body=image(shade))
    client.put_object(Bucket="photos", Key="in/cut.png", Body=b"\x89PNG\r\n")
    return client


@pytest.fixture
def maskloop(
    s3: Any,
    endpoint_url: str,
    tmp_path: Path,
    new_database: Callable[[], str],
    prefect_api_url: str,
) -> CommandLine:
    command = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
    command.environment["MASKLOOP_BLOBS__S3_ENDPOINT_URL"] = endpoint_url
    return command


def image(shade: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), (shade * 90, 40, 80)).save(file, "PNG")
    return file.getvalue()


def ingested(maskloop: CommandLine, *options: str) -> None:
    """Bring the bucket in; its broken image is a failure that is named."""
    counts = maskloop.json("ingest", "s3://photos/in", "--phrase", "circle", *options, exit_code=1)
    assert (3, 3, 1) == tuple(counts[key] for key in ("media", "pairs", "failed"))
    assert ["s3://photos/in/cut.png"] == [each["subject_id"] for each in maskloop.json("failures")]


def test_images_in_s3_go_all_the_way(maskloop: CommandLine, tmp_path: Path) -> None:
    ingested(maskloop)
    proposed = maskloop.json("propose")
    maskloop("export", tmp_path / "out", "--masks", "proposed", "--with-media")
    maskloop("sheet", tmp_path / "sheet")

    assert (3, 0) == (proposed["pairs"], proposed["failed"])
    assert sorted(image(shade) for shade in range(3)) == sorted(
        path.read_bytes() for path in (tmp_path / "out/images").iterdir()
    )
    assert (tmp_path / "sheet/sheet.png").is_file()


@pytest.mark.parametrize("blobs_url", ["", "s3://kept/here"])
def test_copies_outlive_their_originals(
    maskloop: CommandLine, s3: Any, tmp_path: Path, blobs_url: str
) -> None:
    maskloop.environment["MASKLOOP_BLOBS__URL"] = blobs_url
    ingested(maskloop, "--copy")
    for name in COLOURS:
        s3.delete_object(Bucket="photos", Key=f"in/{name}.png")

    assert 0 == maskloop.json("propose")["failed"]
    maskloop("export", tmp_path, "--masks", "proposed", "--with-media")
    assert [".png"] * 3 == [path.suffix for path in (tmp_path / "images").iterdir()]


def test_a_server_that_is_gone_is_named(maskloop: CommandLine) -> None:
    ingested(maskloop)
    maskloop.environment["MASKLOOP_BLOBS__S3_ENDPOINT_URL"] = "http://127.0.0.1:1"

    for command in (["ingest", "s3://photos/in"], ["propose"]):
        said = maskloop(*command, exit_code=1)
        assert "s3://photos/in" in said
        assert "cannot be reached" in said
        assert "Traceback" not in said


def test_a_bucket_that_is_missing_is_set_up_wrongly(maskloop: CommandLine) -> None:
    assert "s3://nowhere/ does not exist" in maskloop("ingest", "s3://nowhere/", exit_code=2)
