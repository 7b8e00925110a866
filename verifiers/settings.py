"""
Which verifier a worker asks, and how; and how one is trained.

  setting          default  unit     source
  panel_side       96       pixels   what the embedded model was trained on; for others 336, the
                                     tile of Llama 4 and of CLIP's largest towers, one per panel
  max_in_flight    128      requests twice the 64 that the benchmark's server works on at once:
                                     a server is only full while some wait
  timeout_seconds  60       seconds  one token; more is a queue that is too long
  num_orders       1        orders   the SAM 3 paper asks once

Training. The paper says neither rates nor lengths; these are ours.

  setting          default  unit     source
  rate             0        -        0: 3e-4 for all weights of a tiny model, none other tried; 1e-4
                                     for an adapter, as is common for LoRA
  steps            600      steps    some CPU-minutes of the tiny model
  batch_size       16       rows     -
  mix_share        0.5      share    one to one with general data (SAM 3 paper, appendix A.3)
  lora_rank        16       -        vLLM serves adapters up to this rank unless told otherwise
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

BUNDLED_WEIGHTS = Path(__file__).parent / "tiny" / "verifier"

Dialect = Literal["structured_outputs", "guided_choice"]


class VerifierSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of the verifier. Orders and panel change its answers, the rest only who answers."""

    endpoints: str = Field(
        default="",
        pattern=r"^(\s*https?://[^\s,]+\s*(,\s*https?://[^\s,]+\s*)*)?$",
        description="Addresses of OpenAI-compatible servers, with /v1, separated by commas; all "
        "serve the same model. Empty: the embedded server.",
    )

    model: str = Field(
        default="", description="Model id. Empty: the one that the servers list at /v1/models."
    )

    api_key: SecretStr = Field(
        default=SecretStr(""), description="Key that the servers want. Empty: none."
    )

    dialect: Literal["auto", "structured_outputs", "guided_choice"] = Field(
        default="auto",
        description="How the answer is held to the options. auto: by the server's version, "
        "guided_choice below vLLM 0.11.",
    )

    weights: str = Field(
        default=str(BUNDLED_WEIGHTS),
        description="Folder of the image-text model that the embedded server serves.",
    )

    num_orders: int = Field(
        default=1,
        ge=1,
        le=20,
        description="Orders of the options over which each answer is averaged.",
    )

    order_seed: int = Field(default=0, ge=0, description="Seed of the orders of the options.")

    panel_side: int = Field(
        default=96,
        ge=32,
        le=2048,
        description="Height in pixels of the pictures that the verifier sees; they are up to twice "
        "as wide.",
    )

    max_in_flight: int = Field(
        default=128, ge=1, le=1000, description="Requests that wait for an answer, at most."
    )

    timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds to wait for one answer, the server's queue included.",
    )

    patience_seconds: float = Field(
        default=180.0,
        gt=0,
        description="Seconds without any answer after which the servers count as gone.",
    )

    cpu_threads: int = Field(
        default=2, ge=1, description="Threads that draw and encode the pictures."
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The endpoints one by one, without a slash at the end; none for the embedded server."""
        parts = (part.strip().rstrip("/") for part in self.endpoints.split(","))
        return tuple(dict.fromkeys(part for part in parts if part))


class VerifierTrainingSettings(BaseModel, extra="forbid", frozen=True):
    """Settings of trainings of the verifier."""

    method: Literal["auto", "full", "lora"] = Field(
        default="auto",
        description="What learns: all weights, or a LoRA adapter of the language model. auto: all "
        "of a model below 20 million parameters.",
    )

    rate: float = Field(
        default=0.0, ge=0, description="Highest learning rate. 0: 3e-4 for all weights, 1e-4 LoRA."
    )

    steps: int = Field(default=600, ge=1, description="Steps unless the command says how many.")

    batch_size: int = Field(default=16, ge=1, description="Rows that a step learns from.")

    max_rows: int = Field(
        default=16,
        ge=1,
        description="Rows that go through the model at once; halves by itself when the GPU's "
        "memory runs out.",
    )

    mix_share: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="Share of the rows that come from the second snapshot, where one is given.",
    )

    weight_decay: float = Field(default=0.01, ge=0, description="Of matrices, decoupled.")

    lora_rank: int = Field(default=16, ge=1, description="Rank of an adapter.")

    lora_alpha: int = Field(default=32, ge=1, description="Scale of an adapter, over its rank.")

    checkpoint_steps: int = Field(
        default=100,
        ge=1,
        description="Steps between two checkpoints of a verifier: what a kill costs at most.",
    )
