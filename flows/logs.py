"""Logging, switched on in one place: plain lines on stderr, facts behind the constant message."""

import logging

FOLDERS = ("engine", "models", "verifiers", "db", "ui", "flows", "demo")
_PLAIN = set(vars(logging.makeLogRecord({})))


class FactsFormatter(logging.Formatter):
    """Appends what a call gave in `extra=` as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {key: value for key, value in vars(record).items() if key not in _PLAIN}
        facts.pop("message", None)
        line = super().format(record)
        return " ".join([line, *(f"{key}={value}" for key, value in facts.items())])


def configure(*, verbose: bool) -> None:
    """Show warnings of our folders on stderr, and one line per batch with *verbose*."""
    handler = logging.StreamHandler()
    handler.setFormatter(FactsFormatter("%(levelname)s %(name)s: %(message)s"))
    for folder in FOLDERS:
        log = logging.getLogger(folder)
        log.handlers = [handler]
        log.setLevel(logging.INFO if verbose else logging.WARNING)
        log.propagate = False
