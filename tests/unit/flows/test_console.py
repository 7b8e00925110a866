"""What commands print."""

import pytest

from flows.console import print_table


def test_brackets_in_a_table_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("failures", ("detail",), [("no [red] bucket [/:]",)])

    assert "no [red] bucket [/:]" in capsys.readouterr().out
