"""Records to rows."""

from hypothesis import given
from hypothesis import strategies as st

from db.rows import resolution_values, signed, unsigned
from engine.records import Outcome, Resolution, ResolvedMask
from tests.factories import a_mask


@given(st.integers(0, 2**64 - 1))
def test_64_unsigned_bits_come_back_from_a_signed_column(bits: int) -> None:
    assert -(2**63) <= signed(bits) < 2**63
    assert bits == unsigned(signed(bits))


def test_another_group_flag_is_another_resolution() -> None:
    alone, group = (
        Resolution(
            pair_id="pair_a",
            maker="anna",
            outcome=Outcome.INCOMPLETE,
            masks=(ResolvedMask(mask=a_mask(), is_group=is_group),),
        )
        for is_group in (False, True)
    )

    assert resolution_values(alone)[0] != resolution_values(group)[0]
