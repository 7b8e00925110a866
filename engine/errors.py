"""
The one exception tree.

* MaskloopError
  x TransientError        try again later: the same call can succeed
    + DatabaseUnavailableError
    + BlobStoreUnavailableError
    + ServiceUnavailableError
  x PermanentError        the same call will fail again: a person must look
    + UnreadableMediaError
    + InvalidMaskError
    + InvalidFileError
    + InvalidPhraseError
    + LeaseLostError
    + TrainingError
  x ConfigError           stop before any work is done
    + WeightsError

A stage raises only for its whole batch. One bad item inside a batch is not an exception: it is a
`Failure` record, see `engine.records`. Messages say what, with which value, what was expected and
what to do; they begin in lower case and end without a full stop.
"""


class MaskloopError(Exception):
    """Base of all errors that maskloop raises on purpose."""


class TransientError(MaskloopError):
    """The same call can succeed later."""


class DatabaseUnavailableError(TransientError):
    """Postgres cannot be reached."""


class BlobStoreUnavailableError(TransientError):
    """The blob store (a folder or S3) cannot be reached."""


class ServiceUnavailableError(TransientError):
    """A service that maskloop talks to over HTTP cannot be reached or is not ready."""


class PermanentError(MaskloopError):
    """The same call will fail again."""

    reason = "permanent"  # the countable word that a Failure made from this error carries


class UnreadableMediaError(PermanentError):
    """An image or video cannot be decoded, is missing, or exceeds the limits."""

    reason = "unreadable_media"


class InvalidMaskError(PermanentError):
    """A mask breaks the rules of COCO run lengths or does not fit its image."""

    reason = "invalid_mask"


class InvalidFileError(PermanentError):
    """A dataset, prediction or table file cannot be read as what it claims to be."""

    reason = "invalid_file"


class InvalidPhraseError(PermanentError):
    """A text cannot be a noun phrase: empty, too long, or without any letter or digit."""

    reason = "invalid_phrase"


class LeaseLostError(PermanentError):
    """The shard's lease ran out and somebody else holds it: what was computed is thrown away."""

    reason = "lease_lost"


class TrainingError(PermanentError):
    """A training cannot go on with these data and this recipe."""

    reason = "training"


class ConfigError(MaskloopError):
    """The deployment is set up wrongly; nothing has been done."""


class WeightsError(ConfigError):
    """A weights folder is missing, or is not the model that was asked for."""
