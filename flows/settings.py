"""
All settings of one deployment, read from the environment once, in the entry point.

Names in the environment follow the tree: `MASKLOOP_HOME`, `MASKLOOP_PROPOSER__WEIGHTS`. Two names
that every hosting knows are read without the prefix: `DATABASE_URL` and `PREFECT_API_URL`. Each
folder declares its own part next to the code that uses it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.errors import ConfigError
from flows.gate_settings import GateSettings
from models.settings import ClickerSettings, ProposerSettings, TrainingSettings
from ui.settings import ReviewSettings
from verifiers.settings import VerifierSettings, VerifierTrainingSettings

PREFIX = "MASKLOOP_"
DELIMITER = "__"


class BlobSettings(BaseModel, extra="forbid"):
    """Where copied media are kept, and how S3 is reached."""

    url: str = Field(
        default="",
        description="s3://bucket/prefix to keep copied media in S3. Empty: a folder in the home.",
    )
    s3_endpoint_url: str = Field(
        default="", description="Address of an S3-compatible server. Empty: Amazon S3."
    )


class ShardSettings(BaseModel, extra="forbid"):
    """How work is cut and held."""

    pairs_per_shard: int = Field(
        default=200,
        gt=0,
        le=10_000,
        description="Pairs in one shard, more or less: those of one media stay together.",
    )
    lease_seconds: float = Field(
        default=60.0,
        gt=1,
        description="Seconds after which a worker that stopped renewing loses its shard.",
    )


class RoutingSettings(BaseModel, extra="forbid"):
    """How the verifier is watched where it decides alone."""

    shadow_share: float = Field(
        default=0.1,  # vendors check 5 to 20 % (SAM 3 data engine, annotation card)
        ge=0,
        le=1,
        description="Share of the pairs finished without a person that people look at too.",
    )
    shadow_seed: int = Field(default=0, description="Seed of which pairs these are.")


class MiningSettings(BaseModel, extra="forbid", frozen=True):
    """How hard negatives are mined; the names are those of `engine.hard_negatives.MiningRules`."""

    per_image: int = Field(
        default=15,  # of 0, 5, 15 and 30 most of the gain at half the cost (SAM 3 paper, table 9b)
        ge=0,
        description="Hard negatives of one image, at most.",
    )
    per_positive: int = Field(
        default=5,  # a third of an image's: one phrase should not use them all up
        ge=0,
        description="Hard negatives made from one positive pair, at most.",
    )
    tried_per_positive: int = Field(
        default=30,  # twice an image's: most candidates fool nobody
        ge=1,
        description="Phrases that the proposer is tried on for one positive pair, at most.",
    )
    min_confidence: float = Field(
        default=0.5,  # from which on evaluation and SAM 3's own processor take a mask for there
        ge=0,
        lt=1,
        description="Presence times query score above which a mask says that the phrase is there.",
    )
    min_overlap: float = Field(
        default=0.5,  # the paper names none; as where duplicates are found
        gt=0,
        le=1,
        description="Share of the smaller mask by which such a mask must overlap a verified one.",
    )


class QueueSettings(BaseModel, extra="forbid"):
    """What people are asked, and how good they must be."""

    second_review_share: float = Field(
        default=0.1,  # as the vendors' quality control, see shadow_share
        ge=0,
        le=1,
        description="Share of the corrections that a second person looks at.",
    )
    known_share: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of the verification tasks shown whose answer is known.",
    )
    training_share: float = Field(
        default=0.3,
        ge=0,
        lt=1,
        description="The same while somebody's known answers are below the bar.",
    )
    accuracy_bar: float = Field(
        default=0.7,  # production annotators agree with a majority in 72 to 82 % (SAM 3 paper)
        ge=0,
        le=1,
        description="Share of known answers that a person must get right for the others to count.",
    )
    known_needed: int = Field(
        default=10,
        gt=0,
        description="Known answers of a person before the bar applies; the last so many count.",
    )
    seed: int = Field(default=0, description="Seed of which corrections are looked at again.")
    domain_quotas: dict[str, float] = Field(
        default={},
        description='Wanted share of each domain: {"food": 0.5}. The others share the rest.',
    )
    expiry_hours: float = Field(
        default=24.0, gt=0, description="Hours after which a task that nobody took waits again."
    )
    poll_seconds: float = Field(
        default=5.0, gt=0, description="Seconds between two readings of the desk without a hint."
    )


class Settings(BaseSettings):
    """All settings of one deployment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, frozen=True, extra="forbid"
    )

    home: Path = Field(
        default=Path(".maskloop"),
        description="Folder of the embedded services, copied media, logs and secrets.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("DATABASE_URL", "MASKLOOP_DATABASE_URL"),
        description="Postgres 15 or newer. Empty: the embedded server.",
    )
    prefect_api_url: str = Field(
        default="",
        validation_alias=AliasChoices("PREFECT_API_URL", "MASKLOOP_PREFECT_API_URL"),
        pattern=r"^(https?://.+)?$",
        description="Address of a Prefect server, with /api. Empty: the embedded server.",
    )
    work_pool: str = Field(
        default="cpu", description="Prefect work pool that worker flows are scheduled on."
    )
    blobs: BlobSettings = BlobSettings()
    shards: ShardSettings = ShardSettings()
    routing: RoutingSettings = RoutingSettings()
    mining: MiningSettings = MiningSettings()
    queues: QueueSettings = QueueSettings()
    proposer: ProposerSettings = ProposerSettings()
    verifier: VerifierSettings = VerifierSettings()
    verifier_training: VerifierTrainingSettings = VerifierTrainingSettings()
    clicker: ClickerSettings = ClickerSettings()
    training: TrainingSettings = TrainingSettings()
    gate: GateSettings = GateSettings()
    review: ReviewSettings = ReviewSettings()


def load_settings() -> Settings:
    """
    Return the settings that the environment gives.

    Raises:
        ConfigError: If a value is not allowed, or a variable has the prefix and no setting.
    """
    unknown = unknown_names(os.environ)
    if unknown:
        raise ConfigError(f"unknown settings {', '.join(unknown)}: see docs/settings.md")
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"wrong settings: {'; '.join(lines)}") from error
    home = settings.home.absolute()
    if home.exists() and not home.is_dir():
        raise ConfigError(f"home {home} is a file: set MASKLOOP_HOME to a folder")
    return settings.model_copy(update={"home": home})


def path_variables(settings: Settings) -> dict[str, str]:
    """
    Return the variables that name the folders of *settings* whatever the working directory.

    Weights that nobody chose are left out: they would win over the champions.
    """
    parts: dict[str, ProposerSettings | VerifierSettings | ClickerSettings] = {
        "PROPOSER": settings.proposer,
        "VERIFIER": settings.verifier,
        "CLICKER": settings.clicker,
    }
    return {
        f"{PREFIX}HOME": str(settings.home),
        f"{PREFIX}REVIEW{DELIMITER}VENV": settings.review.venv and _whole(settings.review.venv),
        **{
            f"{PREFIX}{name}{DELIMITER}WEIGHTS": _absolute(part.weights)
            for name, part in parts.items()
            if "weights" in part.model_fields_set
        },
    }


def _absolute(weights: str) -> str:
    """Return the folder wherever it is read from; an id on the hub stays what it is."""
    return _whole(weights) if Path(weights).expanduser().exists() else weights


def _whole(folder: str) -> str:
    return str(Path(folder).expanduser().absolute())


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that have our prefix and that no setting reads, sorted."""
    known = {name for name, _ in setting_fields()}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def setting_fields(
    model: type[BaseModel] = Settings, prefix: str = PREFIX
) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting as its name in the environment and its field, parts included."""
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from setting_fields(part, f"{prefix}{name.upper()}{DELIMITER}")
        else:
            yield f"{prefix}{name.upper()}", field
