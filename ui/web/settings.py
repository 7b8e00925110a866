"""
Where the web app is found, and how much it takes.

  setting         default  unit    source
  url_days        30       days    a task may wait long in an open tab or an export
  max_body_mib    32       MiB     a task with a hundred fractured masks as Label Studio sends it
                                   (run lengths as numbers in JSON) has some 20
  images_kept     8        images  a megapixel is 3 MB decoded; people work at a few at a time
"""

from pydantic import BaseModel, Field


class WebSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of the web app that shows media to the review desk and assists people there."""

    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Address of the web app as browsers and Label Studio reach it, such as "
        "https://masks.example.org. Empty: the embedded server's own.",
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that the embedded web server listens on. 0.0.0.0 lets others in.",
    )

    port: int = Field(
        default=0, ge=0, le=65535, description="Its port. 0: any that is free, kept from then on."
    )

    url_days: float = Field(
        default=30.0, gt=0, le=3650, description="Days for which an address of a picture is valid."
    )

    max_body_mib: int = Field(
        default=32, ge=1, description="Size of a request's body in MiB, at most."
    )

    images_kept: int = Field(
        default=8, ge=1, description="Decoded images that wait for the next click, at most."
    )
