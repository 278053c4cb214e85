"""Identity numbers: the check character, the birth day and the sex they state."""

import doctest
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import identity_number
from domain.identity_number import birth_day, check_digit, problems, sex

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""As the standard prints them."""


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(identity_number).failed == 0


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_examples_of_the_standard_have_no_problem(number):
    assert problems(number) == ()


@given(st.from_regex(r"\A[1-9][0-9]{16}\Z"))
def test_the_check_digit_agrees_with_the_weights_the_standard_prints(digits):
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True))
    value = (12 - weighted % 11) % 11

    assert check_digit(digits) == ("X" if value == 10 else str(value))


@given(st.dates(date(1900, 1, 1)), st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_any_single_wrong_digit_is_found(born_on, serial, place, shift):
    digits = f"411381{born_on:%Y%m%d}{serial:03}"
    if born_on.year < 1000 or len(digits) != 17:
        return
    wrong = (int(digits[place]) + shift) % 10
    altered = f"{digits[:place]}{wrong}{digits[place + 1 :]}{check_digit(digits)}"

    assert problems(digits + check_digit(digits)) == ()
    assert problems(altered) != ()


@pytest.mark.parametrize(
    "number",
    [
        "",
        "110105491231002",
        "11010519491231002",
        "11010519491231002x",
        "11010519491231002X ",
        "01010519491231002X",
        "1101051949123100XX",
        "１1010519491231002X",
        "11010519491231002X\n",
    ],
)
def test_what_is_not_eighteen_characters_of_the_right_kind_is_malformed(number):
    assert problems(number) == ("malformed",)
    with pytest.raises(ValueError, match="identity number"):
        birth_day(number)
    with pytest.raises(ValueError, match="malformed"):
        sex(number)


@pytest.mark.parametrize("born", ["19490231", "19491301", "20230229", "00000101"])
def test_a_day_of_birth_that_never_was_is_named(born):
    digits = f"110105{born}002"

    assert problems(digits + check_digit(digits)) == ("no_such_birth_day",)
    with pytest.raises(ValueError, match="no day of birth"):
        birth_day(digits + check_digit(digits))


def test_all_problems_are_named_at_once():
    digits = "11010519490231002"
    wrong = "1" if check_digit(digits) != "1" else "2"

    assert problems(digits + wrong) == ("no_such_birth_day", "wrong_check_digit")


def test_every_problem_has_a_chinese_sentence():
    assert set(identity_number.PROBLEMS) == {
        "malformed",
        "no_such_birth_day",
        "wrong_check_digit",
    }


def test_the_birth_day_and_the_sex_are_read():
    assert birth_day("440524188001010014") == date(1880, 1, 1)
    assert sex("440524188001010014") == "male"
    assert sex("11010519491231002X") == "female"
