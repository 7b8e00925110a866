"""Who the embedded Label Studio lets in."""

import http.cookiejar
import json
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.errors import ConfigError
from engine.queues import Queue
from flows.services import label_studio as service
from flows.services.label_studio import Served
from flows.services.label_studio_access import account_of
from flows.services.label_studio_users import OWNER, queue_emails
from tests.label_studio_home import VENV, Client, a_project, accounts_of, pid_of, start, wait_until

pytestmark = pytest.mark.service


@pytest.fixture
def owner(label_studio: Served) -> Client:
    return Client(label_studio.address, label_studio.token)


@pytest.fixture
def project(owner: Client) -> Iterator[int]:
    with a_project(owner) as made:
        yield made


def test_each_queue_has_an_account_that_sees_the_projects(
    label_studio_home: Path, label_studio: Served, project: int
) -> None:
    known = accounts_of(label_studio_home)
    seen = {
        email: [
            each["id"]
            for each in Client(label_studio.address, account["token"])("GET", "/api/projects/")[1][
                "results"
            ]
        ]
        for email, account in known.items()
        if email in queue_emails()
    }

    assert 1 + len(Queue) == len(queue_emails())
    assert dict.fromkeys(queue_emails(), True) == {
        email: project in projects for email, projects in seen.items()
    }


def test_a_person_logs_in_with_the_password_in_the_file(
    label_studio_home: Path, label_studio: Served
) -> None:
    email = f"{Queue.CORRECTION}@maskloop.local"
    browser = logged_in(
        label_studio.address, email, accounts_of(label_studio_home)[email]["password"]
    )
    with browser.open(f"{label_studio.address}/api/current-user/whoami") as answer:
        assert email == json.load(answer)["email"]


def logged_in(address: str, email: str, password: str) -> urllib.request.OpenerDirector:
    """Return what a browser is after the page for logging in was sent."""
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    browser.open(f"{address}/user/login/").close()
    csrf = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    form = {"email": email, "password": password, "csrfmiddlewaretoken": csrf}
    browser.open(f"{address}/user/login/", data=urllib.parse.urlencode(form).encode()).close()
    return browser


def test_nobody_else_signs_up(label_studio: Served) -> None:
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    browser.open(f"{label_studio.address}/user/login/").close()
    csrf = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    form = {"email": "a@b.org", "password": "long enough", "csrfmiddlewaretoken": csrf}
    body = urllib.parse.urlencode(form).encode()

    with pytest.raises(urllib.error.HTTPError, match="403"):
        browser.open(f"{label_studio.address}/user/signup/", data=body)


def test_secrets_are_for_their_owner_alone(label_studio_home: Path, label_studio: Served) -> None:
    folder = label_studio_home / "label-studio"
    process = psutil.Process(pid_of(label_studio_home))
    shown = " ".join(process.cmdline()) + (folder / "log.txt").read_text()
    secrets = [label_studio.token, (folder / "secret").read_text()]
    secrets += [account["password"] for account in accounts_of(label_studio_home).values()]

    assert 0o600 == stat.S_IMODE((folder / "accounts.json").stat().st_mode)
    assert 0o600 == stat.S_IMODE((folder / "secret").stat().st_mode)
    assert 0o700 == stat.S_IMODE((folder / "data").stat().st_mode)
    assert [] == [secret for secret in secrets if secret in shown]


def test_more_reviewers_get_accounts_that_stay(
    label_studio_home: Path, label_studio: Served, project: int
) -> None:
    emails = [f"reviewer-{number}@example.org" for number in range(3)]
    tokens = reviewers(label_studio_home, emails)
    status, _ = Client(label_studio.address, tokens[emails[2]])("GET", f"/api/projects/{project}/")

    assert emails == [account_of(label_studio.address, tokens[email]) for email in emails]
    assert 200 == status
    assert tokens == reviewers(label_studio_home, emails)


def reviewers(home: Path, emails: list[str]) -> dict[str, str]:
    return service.reviewers(home, emails, venv=VENV)


def test_what_is_no_address_makes_no_account(label_studio_home: Path) -> None:
    with pytest.raises(ConfigError, match="'nobody' is no e-mail address"):
        reviewers(label_studio_home, ["good@example.org", "nobody"])
    assert "good@example.org" not in accounts_of(label_studio_home)


def test_an_account_that_was_cut_off_halfway_is_made(
    label_studio_home: Path, label_studio: Served
) -> None:
    """Killed when the file knows the account and the database does not."""
    code = (
        "import sys; from pathlib import Path; from flows.services import label_studio as service;"
        "service.reviewers(Path(sys.argv[1]), ['cut@example.org'], venv=Path(sys.argv[2]))"
    )
    making = subprocess.Popen([sys.executable, "-c", code, label_studio_home, VENV])
    wait_until(lambda: "cut@example.org" in accounts_of(label_studio_home))
    psutil.Process(making.pid).children()[0].kill()
    making.kill()
    making.wait()
    written = accounts_of(label_studio_home)["cut@example.org"]["token"]
    with pytest.raises(ConfigError, match="refuses the token"):
        account_of(label_studio.address, written)

    token = reviewers(label_studio_home, ["cut@example.org"])["cut@example.org"]
    assert "cut@example.org" == account_of(label_studio.address, token)


def test_a_token_that_was_taken_away_never_comes_back(
    label_studio_home: Path, label_studio: Served
) -> None:
    email = f"{Queue.AUDIT}@maskloop.local"
    old = accounts_of(label_studio_home)[email]["token"]
    Client(label_studio.address, old)("POST", "/api/current-user/reset-token/")
    start(label_studio_home)
    new = accounts_of(label_studio_home)[email]["token"]

    assert email == account_of(label_studio.address, new)
    with pytest.raises(ConfigError, match="refuses the token"):
        account_of(label_studio.address, old)


def test_a_personal_access_token_is_taken_until_it_is_revoked(
    label_studio: Served, owner: Client
) -> None:
    _, made = owner("POST", "/api/token/")
    assert OWNER == account_of(label_studio.address, made["token"])

    owner("POST", "/api/token/blacklist/", {"refresh": made["token"]})
    with pytest.raises(ConfigError, match=r"refuses the token.*MASKLOOP_REVIEW__TOKEN"):
        account_of(label_studio.address, made["token"])
