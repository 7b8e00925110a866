"""Pictures come as data URLs within the limits, or are refused."""

import base64
import struct
import zlib

import numpy as np
import pytest

from tests.verifier_requests import data_url
from verifiers.tiny.server.pictures import picture
from verifiers.tiny.server.protocol import RefusedRequestError


def png_header(width: int, height: int) -> str:
    """A PNG that claims a size and holds no pixels."""
    content = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT"):
        content += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def test_a_data_url_is_decoded() -> None:
    assert (96, 192, 3) == picture(data_url()).decode().shape
    assert np.uint8 == picture(data_url()).decode().dtype


def test_the_same_address_has_the_same_key() -> None:
    assert picture(data_url()).key == picture(data_url()).key
    assert picture(data_url()).key != picture(data_url(seed=1)).key


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("http://example.org/a.jpg", "'http' addresses are not fetched", id="http"),
        pytest.param("https://169.254.169.254/", "are not fetched", id="a private address"),
        pytest.param("file:///etc/passwd", "'file' addresses are not fetched", id="a file"),
        pytest.param("/etc/passwd", "are not fetched", id="a path"),
        pytest.param("", "are not fetched", id="nothing"),
        pytest.param("data:text/plain,hello", "only base64", id="no base64"),
        pytest.param("data:image/png;base64", "only base64", id="no comma"),
        pytest.param("data:image/png;base64,@@@@", "broken base64", id="no letters of base64"),
        pytest.param("data:image/png;base64,AAA", "broken base64", id="cut off"),
        pytest.param("data:image/png;base64,ä", "broken base64", id="not ASCII"),
        pytest.param("data:image/png;base64,", "empty", id="no bytes"),
        pytest.param("data:image/png;base64,aGVsbG8=", "no image that can be read", id="a text"),
        pytest.param(png_header(100_000, 100_000), "pixels, at most", id="too many pixels"),
        pytest.param(png_header(10, 10), "broken or cut off", id="half an image"),
    ],
)
def test_what_is_no_picture_is_refused(url: str, message: str) -> None:
    with pytest.raises(RefusedRequestError, match=message):
        picture(url).decode()
