"""
The Django settings of the embedded Label Studio: its own, and a database that many people can use.

  option            value      why
  timeout           30 s       how long a writer waits for another one; SQLite's own 5 s are soon up
  transaction_mode  IMMEDIATE  a transaction that begins by reading and then writes is otherwise
                               refused at once, without waiting, when another has written meanwhile;
                               and Label Studio counts the next ids of tasks by reading
  journal_mode      WAL        who reads does not stop who writes; stays on in the file

Requests that went well are not logged: a day of review is many thousands.
"""

import os

_THEIRS = "label_studio.core.settings.label_studio"

# While Label Studio makes its settings it reads them already, from the module that is named here.
_ours, os.environ["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"], _THEIRS
from annoying.fields import AutoSingleRelatedObjectDescriptor  # type: ignore[import-not-found] # noqa: E402
from label_studio.core.settings import label_studio as theirs  # type: ignore[import-not-found] # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = _ours

globals().update({name: value for name, value in vars(theirs).items() if name.isupper()})

ROOT_URLCONF = "maskloop_urls"

DATABASES = {
    "default": {
        **theirs.DATABASES["default"],
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}

LOGGING = {
    **theirs.LOGGING,
    "loggers": {
        **theirs.LOGGING["loggers"],
        "django": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
    },
}

# Every request by a token looks at an object that comes by this, in a transaction of its own: it
# would wait for whoever writes. Making the object, where there is none, is a transaction anyway.
AutoSingleRelatedObjectDescriptor.__get__ = AutoSingleRelatedObjectDescriptor.__get__.__wrapped__
