"""
Accounts of the embedded Label Studio: one that maskloop uses itself, one for each queue, and more.

Names, passwords and tokens are in `accounts.json`, which its owner alone can read. They are written
there first and into Label Studio's database then, so that a cut leaves nothing unknown: whatever
account does not work with its token is made, or given another token, the next time.
"""

import json
import re
import secrets
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import ConfigError, ServiceUnavailableError
from engine.queues import Queue
from flows.services.daemon import locked
from flows.services.label_studio_access import account_of
from flows.services.label_studio_environment import environment

DOMAIN = "maskloop.local"
OWNER = f"admin@{DOMAIN}"

_TOKEN_BYTES = 20  # Label Studio's own have as many
_PASSWORD_BYTES = 15
_MAKING_SECONDS = 300.0
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_MAX_EMAIL = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What somebody needs to be let in."""

    email: str
    name: str
    password: str  # as it was made; its owner may have changed it since
    token: str


def queue_emails() -> tuple[str, ...]:
    """Return the e-mail addresses of the accounts that every server has, the owner's first."""
    return (OWNER, *(f"{queue}@{DOMAIN}" for queue in Queue))


def accounts_path(folder: Path) -> Path:
    """Return the file with all names, passwords and tokens of the server in *folder*."""
    return folder / "accounts.json"


def accounts(
    folder: Path, emails: Sequence[str], *, address: str, python: Path
) -> Mapping[str, Account]:
    """
    Return the accounts of *emails* by e-mail, making those that there are not.

    Args:
        folder: The server's.

        address: Where the server answers.

        python: Label Studio's.

    Raises:
        ConfigError: If an e-mail address is none.
        ServiceUnavailableError: If the server does not take them.
    """
    for email in emails:
        if _EMAIL.fullmatch(email) is None or len(email) > _MAX_EMAIL or email != email.lower():
            raise ConfigError(f"{email!r} is no e-mail address in lower case")
    with locked(folder / "accounts.lock"):
        known = _read(accounts_path(folder))
        wanted = {email: known.get(email) or _new(email) for email in emails}
        refused = _refused(wanted.values(), address)
        if refused:
            wanted |= {each.email: _with_new_token(each) for each in refused}
            _write(accounts_path(folder), {**known, **wanted})
            _make([wanted[each.email] for each in refused], folder=folder, python=python)
            if still := _refused(wanted.values(), address):
                names = ", ".join(each.email for each in still)
                raise ServiceUnavailableError(f"Label Studio does not let in {names}")
    return wanted


def _refused(asked: Iterable[Account], address: str) -> list[Account]:
    """Return those of *asked* that the server does not let in by their token."""
    return [each for each in asked if not _is_let_in(each, address)]


def _is_let_in(account: Account, address: str) -> bool:
    try:
        return account_of(address, account.token) == account.email
    except ConfigError:
        return False


def _make(wanted: Sequence[Account], *, folder: Path, python: Path) -> None:
    """Make accounts in the database, all or none, by Label Studio's own code."""
    try:
        subprocess.run(
            [str(python), "-P", "-m", "maskloop_accounts"],
            env=dict(environment(folder)),
            input=json.dumps([asdict(each) for each in wanted]),
            capture_output=True,
            check=True,
            text=True,
            timeout=_MAKING_SECONDS,
        )
    except subprocess.CalledProcessError as exc:
        why = exc.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ServiceUnavailableError(f"Label Studio makes no accounts: {why[0]}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServiceUnavailableError(f"Label Studio makes no accounts: {exc}") from exc


def _new(email: str) -> Account:
    return Account(
        email=email,
        name=email.partition("@")[0].replace("_", " "),
        password=secrets.token_urlsafe(_PASSWORD_BYTES),
        token="",
    )


def _with_new_token(account: Account) -> Account:
    """Whoever took a token away had a reason: it never comes back."""
    return Account(**{**asdict(account), "token": secrets.token_hex(_TOKEN_BYTES)})


def _read(path: Path) -> dict[str, Account]:
    try:
        return {each["email"]: Account(**each) for each in json.loads(path.read_text())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, LookupError) as exc:
        msg = f"{path} cannot be read: {exc}"
        raise ConfigError(
            f"{msg}: mend it, or delete it to give every account a new token"
        ) from exc


def _write(path: Path, known: Mapping[str, Account]) -> None:
    """Write whole or not at all, readable for the owner alone."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(json.dumps([asdict(each) for each in known.values()], indent=2) + "\n")
    beside.replace(path)
