"""Prefect's workers find every flow where it is said to be."""

from pkgutil import resolve_name

import pytest

from flows.flow_names import ENTRYPOINTS


@pytest.mark.parametrize("name", ENTRYPOINTS)
def test_a_flow_lies_at_its_entrypoint(name: str) -> None:
    assert name == resolve_name(ENTRYPOINTS[name]).name
