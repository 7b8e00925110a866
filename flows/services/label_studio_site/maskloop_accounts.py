"""
Make accounts in the embedded Label Studio's database, all or none. Read by Label Studio's Python.

Reads a JSON list from standard input, each entry with email, name, password and token. An account
that is there keeps its password, since its owner may have changed it, and gets the token. The first
account of an empty database owns the organization; all are members of it and see all its projects.
"""

import json
import os
import sys
from pathlib import Path

import django  # type: ignore[import-not-found]
import label_studio  # type: ignore[import-not-found]

ORGANIZATION = "maskloop"


def main() -> None:
    sys.path.insert(0, os.fspath(Path(label_studio.__file__).parent))  # as its own server does
    django.setup()
    from django.db import transaction  # type: ignore[import-not-found]

    wanted = json.load(sys.stdin)
    with transaction.atomic():
        for each in wanted:
            add(**each)


def add(*, email: str, name: str, password: str, token: str) -> None:
    """Make one account, or bring the one that is there to what it should be."""
    from organizations.models import Organization  # type: ignore[import-not-found]
    from rest_framework.authtoken.models import Token  # type: ignore[import-not-found]
    from users.models import User  # type: ignore[import-not-found]

    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(
            email=email, password=password, first_name=name, username=email[:256]
        )
    organization = Organization.objects.first()
    if organization is None:
        organization = Organization.create_organization(created_by=user, title=ORGANIZATION)
    organization.jwt.legacy_api_tokens_enabled = True  # the tokens that we give
    organization.jwt.api_tokens_enabled = True
    organization.jwt.save()
    organization.add_user(user)
    user.active_organization = organization
    user.is_active = True
    user.save()
    Token.objects.filter(user=user).delete()
    Token.objects.create(user=user, key=token)


if __name__ == "__main__":
    main()
