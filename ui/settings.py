"""
Where people review, and how much lies open for them at once.

  setting       default  unit   source
  window_tasks  300      tasks  Label Studio takes 5 s to list 1,000 tasks with all they hold; 300
                                are two hours of one person's work at 23 s each (SAM 3 paper)
"""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from ui.web.settings import WebSettings


class ReviewSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of the review desk, Label Studio."""

    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Address of a Label Studio server, such as https://labels.example.org. Empty: "
        "the embedded server.",
    )

    token: SecretStr = Field(
        default=SecretStr(""),
        description="Token of an account on that server: a personal access token, or a legacy "
        "token. The embedded server makes its own.",
    )

    window_tasks: int = Field(
        default=300,
        ge=1,
        le=10_000,
        description="Open tasks that Label Studio holds for each queue, at most.",
    )

    venv: str = Field(
        default="",
        description="Folder in which the embedded Label Studio is installed. Empty: "
        "label-studio/venv in the home.",
    )

    web: WebSettings = WebSettings()

    @property
    def base_url(self) -> str:
        """The given address without a slash at the end; "" for the embedded server."""
        return self.address.rstrip("/")

    @property
    def venv_path(self) -> Path | None:
        """Where the embedded Label Studio is installed; None for the place in the home."""
        return Path(self.venv).expanduser().absolute() if self.venv else None
