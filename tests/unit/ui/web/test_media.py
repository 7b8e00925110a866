"""Pictures: only at signed addresses, exactly as large as their media, and shown by any browser."""

import io
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import BlobStoreUnavailableError
from engine.images import decode_rgb, inspect_image
from engine.masks import encode
from engine.pictures import MAX_JPEG_SIDE, as_picture
from tests.web_world import NOON, URLS, World, a_picture
from ui.web.media import DAY_SECONDS, media_path
from ui.web.ports import ReferenceMask

SIDEWAYS = 6  # EXIF: turned by a quarter


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def two_frames(file_format: str) -> bytes:
    first, second = (Image.new("RGB", (16, 12), colour) for colour in ("red", "blue"))
    return saved(first, file_format, save_all=True, append_images=[second])


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        pytest.param(a_picture("JPEG"), "image/jpeg", id="a JPEG"),
        pytest.param(a_picture("PNG"), "image/png", id="a PNG"),
        pytest.param(a_picture("WEBP"), "image/webp", id="a WebP"),
        pytest.param(saved(Image.new("L", (9, 7)), "JPEG"), "image/jpeg", id="a grey JPEG"),
        pytest.param(saved(Image.new("P", (9, 7)), "GIF"), "image/gif", id="a GIF of one frame"),
    ],
)
def test_what_browsers_show_goes_out_as_it_is(
    world: World, client: TestClient, content: bytes, mime_type: str
) -> None:
    media = world.add(content).media
    reply = client.get(URLS.media_url(media.id, now=NOON))

    assert (200, mime_type) == (reply.status_code, reply.headers["content-type"])
    assert content == reply.content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(a_picture("TIFF"), id="a TIFF"),
        pytest.param(a_picture("BMP"), id="a BMP"),
        pytest.param(a_picture("JPEG2000"), id="a JPEG 2000"),
        pytest.param(a_picture("AVIF"), id="an AVIF"),
        pytest.param(a_picture("JPEG", exif=exif(SIDEWAYS)), id="a JPEG on its side"),
        pytest.param(a_picture("JPEG", exif=exif(3)), id="a JPEG on its head"),
        pytest.param(a_picture("PNG", exif=exif(SIDEWAYS)), id="a PNG on its side"),
        pytest.param(saved(Image.new("CMYK", (9, 7), (9, 90, 200, 0)), "JPEG"), id="CMYK"),
        pytest.param(
            saved(Image.fromarray(np.arange(63, dtype=np.uint16).reshape(7, 9) * 999), "PNG"),
            id="16 bits",
        ),
        pytest.param(saved(Image.new("RGBA", (9, 7), (9, 90, 200, 99)), "PNG"), id="translucent"),
        pytest.param(
            saved(Image.new("P", (9, 7), 3), "GIF", transparency=3), id="a GIF with holes"
        ),
        pytest.param(
            saved(Image.new("RGB", (9, 7), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
            id="a colour that is transparent",
        ),
        pytest.param(two_frames("GIF"), id="a moving GIF"),
        pytest.param(two_frames("WEBP"), id="a moving WebP"),
        pytest.param(two_frames("PNG"), id="a moving PNG"),
    ],
)
def test_all_else_is_decoded_and_as_the_models_see_it(
    world: World, client: TestClient, content: bytes
) -> None:
    media = world.add(content).media
    reply = client.get(URLS.media_url(media.id, now=NOON))
    shown = opened(reply.content)

    assert (200, "image/png") == (reply.status_code, reply.headers["content-type"])
    assert ((media.width, media.height), 1) == (shown.size, getattr(shown, "n_frames", 1))
    assert (decode_rgb(content, name="file") == np.asarray(shown.convert("RGB"))).all()


def test_a_large_picture_becomes_a_jpeg_of_the_same_size() -> None:
    content, mime_type = as_picture(np.zeros((2000, 2001, 3), np.uint8))

    assert ("image/jpeg", (2001, 2000)) == (mime_type, opened(content).size)


def test_a_picture_too_wide_for_a_jpeg_becomes_a_png() -> None:
    content, mime_type = as_picture(np.zeros((62, MAX_JPEG_SIDE + 1, 3), np.uint8))

    assert ("image/png", (MAX_JPEG_SIDE + 1, 62)) == (mime_type, opened(content).size)


def test_the_page_of_the_desk_may_draw_it_and_nothing_is_guessed(world: World) -> None:
    media = world.add(a_picture()).media
    app = world.app(desk_origin="https://labels.example.org")
    reply = TestClient(app).get(URLS.media_url(media.id, now=NOON))

    assert "https://labels.example.org" == reply.headers["access-control-allow-origin"]
    assert "nosniff" == reply.headers["x-content-type-options"]
    assert f"private, max-age={DAY_SECONDS}, immutable" == reply.headers["cache-control"]


def test_nothing_else_may_be_done_with_it(world: World, client: TestClient) -> None:
    url = URLS.media_url(world.add(a_picture()).media.id, now=NOON)

    assert {405} == {
        client.request(method, url).status_code for method in ("POST", "PUT", "DELETE", "OPTIONS")
    }


@given(st.text(max_size=9), st.integers(0, 4_000_000_000))
def test_an_address_is_valid_from_now_on_for_its_lifetime(media_id: str, now: int) -> None:
    url = URLS.media_url(media_id, now=now)
    found = re.search(r"until=(\d+)&signature=([0-9a-f]{64})$", url)
    assert found is not None
    until, signature = found.groups()
    left = URLS.check(media_path(media_id), until=until, signature=signature, now=now)

    assert URLS.lifetime_seconds <= left <= URLS.lifetime_seconds + DAY_SECONDS


def test_an_address_made_again_on_the_same_day_is_the_same() -> None:
    midnight = NOON - DAY_SECONDS / 2
    urls = {URLS.media_url("media_a", now=midnight + hours * 3600) for hours in range(24)}

    assert 1 == len(urls)
    assert urls != {URLS.media_url("media_a", now=midnight + DAY_SECONDS)}


@pytest.mark.parametrize(
    ("until", "signature"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("{until}", "", id="no signature"),
        pytest.param("", "{signature}", id="no expiry"),
        pytest.param("{until}", "0" * 64, id="a guess"),
        pytest.param("9{until}", "{signature}", id="a later expiry"),
        pytest.param("{until} ", "{signature}", id="a blank more"),
        pytest.param("soon", "{signature}", id="no number"),
        pytest.param("-1", "{signature}", id="before the epoch"),
        pytest.param("{until}", "{signature}{signature}", id="twice"),
        pytest.param("{until}", "\u017f\ud7ff", id="no ASCII"),
        pytest.param("9" * 5000, "{signature}", id="a number without end"),
    ],
)
def test_an_address_that_was_changed_leads_nowhere(
    world: World, client: TestClient, until: str, signature: str
) -> None:
    media_id = world.add(a_picture()).media.id
    path, _, query = URLS.media_url(media_id, now=NOON).partition("?")
    parts = dict(pair.split("=") for pair in query.split("&"))
    reply = client.get(
        path, params={"until": until.format(**parts), "signature": signature.format(**parts)}
    )

    assert (403, 1) == (reply.status_code, reply.text.count("\n"))
    assert "not signed" in reply.text


def test_the_signature_of_one_media_is_none_of_another(world: World, client: TestClient) -> None:
    first, second = world.add(a_picture()).media, world.add(a_picture(width=90)).media
    url = URLS.media_url(first.id, now=NOON).replace(first.id, second.id)

    assert 403 == client.get(url).status_code


@pytest.mark.parametrize(
    ("days", "status"),
    [
        pytest.param(0, 200, id="now"),
        pytest.param(7, 200, id="the last day"),
        pytest.param(8, 403, id="expired"),
        pytest.param(1000, 403, id="long expired"),
        pytest.param(-1, 200, id="signed by a clock that is ahead by a day"),
        pytest.param(-3, 403, id="signed by a clock far ahead"),
    ],
)
def test_an_address_has_its_time(world: World, days: float, status: int) -> None:
    url = URLS.media_url(world.add(a_picture()).media.id, now=NOON)
    world.now = NOON + days * DAY_SECONDS

    assert status == TestClient(world.app()).get(url).status_code


def test_an_unknown_media_is_not_there(client: TestClient) -> None:
    reply = client.get(URLS.media_url("media_nobody", now=NOON))

    assert (404, "there is no media media_nobody\n") == (reply.status_code, reply.text)


@pytest.mark.parametrize("name", ["../../etc/passwd", "%2e%2e%2fsecret", "\0", "a/b", "..", "ü"])
def test_a_name_is_never_a_path(client: TestClient, name: str) -> None:
    assert client.get(URLS.media_url(name, now=NOON)).status_code in {403, 404}


def test_media_whose_bytes_are_gone_say_so(world: World, client: TestClient) -> None:
    media = world.add(a_picture()).media
    world.contents.clear()
    reply = client.get(URLS.media_url(media.id, now=NOON))

    assert 410 == reply.status_code
    assert "has no source that can be read" in reply.text


@pytest.mark.parametrize("file_format", ["TIFF", "PNG"])
def test_media_that_cannot_be_decoded_say_why(
    world: World, client: TestClient, file_format: str
) -> None:
    content = a_picture(file_format, width=400, height=300)
    media = world.add(content).media
    world.contents[media.id] = b"<html>no image</html>"
    reply = client.get(URLS.media_url(media.id, now=NOON))

    assert 422 == reply.status_code
    assert media.id in reply.text
    assert "is no image" in reply.text


def test_a_store_out_of_reach_is_for_another_time(world: World, client: TestClient) -> None:
    class Unreachable(dict[str, bytes]):
        def __contains__(self, _: object) -> bool:
            raise BlobStoreUnavailableError("s3://secret-bucket cannot be reached")

    media = world.add(a_picture()).media
    world.contents = Unreachable()
    with TestClient(world.app()) as client:
        reply = client.get(URLS.media_url(media.id, now=NOON))

    assert (503, "5") == (reply.status_code, reply.headers["retry-after"])
    assert "secret-bucket" not in reply.text


def test_a_reference_shows_the_instance_and_pales_the_rest(
    world: World, client: TestClient
) -> None:
    media = inspect_image(saved(Image.new("RGB", (300, 200), "black"), "PNG"), name="black")
    world.contents[media.id] = saved(Image.new("RGB", (300, 200), "black"), "PNG")
    inside_HW = np.zeros((200, 300), np.bool_)
    inside_HW[50:100, 100:150] = True
    mask = encode(inside_HW[None])[0]
    world.references["resolution_a", 2] = ReferenceMask(media_id=media.id, mask=mask)
    reply = client.get(URLS.reference_url("resolution_a", 2, now=NOON))
    shown_HWC = np.asarray(opened(reply.content).convert("RGB"))
    middle = shown_HWC.shape[0] // 2

    assert (200, "image/png") == (reply.status_code, reply.headers["content-type"])
    assert 200 <= max(shown_HWC.shape) <= 256
    assert ([0, 0, 0], [153, 153, 153]) == (
        shown_HWC[middle, middle].tolist(),
        shown_HWC[0, 0].tolist(),
    )


@pytest.mark.parametrize("place", ["0", "1", "x", "-1", "02", "\u0662"])
def test_a_reference_that_is_none_is_not_there(client: TestClient, place: str) -> None:
    signed = URLS.reference_url("resolution_a", 0, now=NOON)

    assert 404 == client.get(signed).status_code
    assert (404 if place == "0" else 403) == client.get(
        signed.replace("/0?", f"/{place}?")
    ).status_code
