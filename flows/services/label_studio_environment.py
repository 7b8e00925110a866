"""
The environment of the embedded Label Studio's process: everything that it is told.

Of our own environment hardly anything is passed on: Label Studio reads common names such as HOST,
CI, DEBUG and USERNAME as settings of its own.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

from engine.errors import ConfigError
from flows.services.secret import secret

SITE = Path(__file__).with_name("label_studio_site")

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")

# Where Label Studio may not send webhooks and clicks: its own list (core/utils/io.py, 1.23.2), of
# which only 127.0.0.1, where our web app is, is taken out.
_BANNED = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "233.252.0.0/24", "240.0.0.0/4"),
    *("255.255.255.255/32", "::/128", "::1/128", "::ffff:0:0/96", "::ffff:0:0:0/96"),
    *("64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001:0000::/32", "2001:20::/28"),
    *("2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8"),
)
_LOOPBACK = IPv4Network("127.0.0.0/8").address_exclude(IPv4Network("127.0.0.1/32"))


def environment(folder: Path) -> Mapping[str, str]:
    """
    Return the whole environment of the process that keeps its data below *folder*.

    Raises:
        ConfigError: If *folder* cannot be written.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, **_python(folder), **_private(folder), **_QUIET, **_NETWORK}


def data_folder(folder: Path) -> Path:
    """Return the folder of database and uploads, which its owner alone may enter."""
    data = folder / "data"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be written: choose another maskloop home") from exc
    return data


def _python(folder: Path) -> Mapping[str, str]:
    return {
        "HOME": str(data_folder(folder)),
        "PYTHONPATH": str(SITE),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "maskloop_settings",
    }


def _private(folder: Path) -> Mapping[str, str]:
    return {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_folder(folder)),
        "SECRET_KEY": secret(folder / "secret"),  # signs sessions and personal access tokens
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "false",
        "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
    }


_QUIET: Mapping[str, str] = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_LOG_LEVEL": "WARNING",
}

_NETWORK: Mapping[str, str] = {
    "LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS": "false",  # they are listed here, but for one
    "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": ",".join([*_BANNED, *map(str, _LOOPBACK)]),
    "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "true",
    "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "true",
}
