"""Money: whole fen, read and written exactly, rounded in one place."""

import doctest
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import money
from domain.money import MOST_FEN, divide_half_up, fen, in_capitals, yuan


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(money).failed == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(0, 1, 0), (1, 2, 1), (49, 100, 0), (50, 100, 1), (149, 100, 1), (150, 100, 2), (1, 3, 0)],
)
def test_a_half_goes_up_and_less_than_a_half_goes_down(numerator, denominator, rounded):
    assert divide_half_up(numerator, denominator) == rounded


@given(st.integers(0, 10**30), st.integers(1, 10**18))
def test_rounding_never_moves_a_figure_by_more_than_a_half(numerator, denominator):
    error = divide_half_up(numerator, denominator) - Fraction(numerator, denominator)

    assert Fraction(-1, 2) < error <= Fraction(1, 2)


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 2), (1, 0), (1, -2)])
def test_what_is_negative_is_not_rounded(numerator, denominator):
    with pytest.raises(ValueError, match="no half up"):
        divide_half_up(numerator, denominator)


@given(st.integers(-MOST_FEN, MOST_FEN))
def test_every_amount_written_in_yuan_reads_back_the_same(amount_fen):
    assert fen(yuan(amount_fen)) == amount_fen
    assert fen(Decimal(yuan(amount_fen))) == amount_fen


@pytest.mark.parametrize(
    ("text", "amount_fen"),
    [
        ("0", 0),
        ("0.5", 50),
        ("-0.00", 0),
        ("50000", 5_000_000),
        ("50000.00", 5_000_000),
        ("50,000.00", 5_000_000),
        ("1,234,567.8", 123_456_780),
        (Decimal("466.39"), 46_639),
        (Decimal("5E+4"), 5_000_000),
        ("92233720368547758.07", MOST_FEN),
    ],
)
def test_yuan_are_read_exactly(text, amount_fen):
    assert fen(text) == amount_fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "1.",
        ".5",
        "1.234",
        "1.230",
        "1e3",
        "1_000",
        "007",
        "5,0000.00",
        "50,00.00",
        "50000,000",
        "0,500",
        "１００",
        "٣",
        "一百",
        "NaN",
        "¥50000.00",
        "92233720368547758.08",
        "9" * 5000,
        Decimal("0.001"),
        Decimal("1.230"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+1000000"),
    ],
)
def test_what_is_not_exactly_yuan_is_refused(text):
    with pytest.raises(ValueError, match=r"not an amount in yuan|more fen than a ledger holds"):
        fen(text)


@pytest.mark.parametrize("number", [50_000, True, None, 50000 / 1])
def test_only_text_and_decimals_are_read_as_yuan(number):
    """A bare number does not say whether it is yuan or fen."""
    kind = type(number).__name__
    with pytest.raises(TypeError, match=f"yuan are read from text or Decimal, not from {kind}"):
        fen(number)


def test_a_decimal_with_a_long_exponent_is_refused_as_it_stands_and_never_spelt_out():
    with pytest.raises(ValueError, match=r"^not an amount in yuan: 1E\+30000$"):
        fen(Decimal("1E+30000"))


def test_nothing_has_no_sign():
    assert yuan(0) == "0.00"


@pytest.mark.parametrize(
    ("amount_fen", "capitals"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (99, "玖角玖分"),
        (100, "壹元整"),
        (1000, "壹拾元整"),
        (101, "壹元零壹分"),
        (110, "壹元壹角整"),
        (46639, "肆佰陆拾陆元叁角玖分"),
        (1640902, "壹万陆仟肆佰零玖元零贰分"),
        (168032, "壹仟陆佰捌拾元叁角贰分"),
        (10700053, "壹拾万柒仟元伍角叁分"),
        (1000_0000_00, "壹仟万元整"),
        (1_0000_0001_00, "壹亿零壹元整"),
        (1_0500_0000_00, "壹亿零伍佰万元整"),
        (10_1001_0101_01, "壹拾亿壹仟零壹万零壹佰零壹元零壹分"),
        (1_0000_0000_0000_00, "壹万亿元整"),
        (1481220000, "壹仟肆佰捌拾壹万贰仟贰佰元整"),
        (1_1000_00, "壹万壹仟元整"),
        (1_0950_00, "壹万零玖佰伍拾元整"),
    ],
)
def test_amounts_in_capitals(amount_fen, capitals):
    assert in_capitals(amount_fen) == capitals


def read_back(text):
    """Capitals read as a clerk reads them aloud: section by section."""
    yuan_part, _, parts = text.rpartition("元") if "元" in text else ("", "", text)
    amount = 100 * whole(yuan_part)
    for digit, unit in zip(parts, parts[1:]):  # noqa: B905 - pairs of neighbours
        amount += {"角": 10, "分": 1}.get(unit, 0) * "零壹贰叁肆伍陆柒捌玖".find(digit)
    return amount


def whole(text):
    for name, size in (("亿", 10**8), ("万", 10**4)):
        high, found, low = text.rpartition(name)
        if found:
            return whole(high) * size + whole(low)
    total = digit = 0
    for character in text:
        place = "零壹贰叁肆伍陆柒捌玖".find(character)
        if place >= 0:
            digit = place
        else:
            total += digit * {"拾": 10, "佰": 100, "仟": 1000}[character]
            digit = 0
    return total + digit


@given(st.one_of(st.integers(0, 10**7), st.integers(0, MOST_FEN)))
def test_capitals_read_back_as_the_amount_and_never_stammer(amount_fen):
    text = in_capitals(amount_fen)
    assert read_back(text) == amount_fen
    assert "零零" not in text
    assert text.endswith("分") == bool(amount_fen % 10)


def test_no_capitals_for_less_than_nothing():
    with pytest.raises(ValueError, match="negative"):
        in_capitals(-1)
