"""Which characters a text may hold, and that nobody judges otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from support import controls

from application.commands.loan import RepayLoan
from application.commands.subsidy import PaySubsidy
from application.fields import Account
from domain.text import FAULTS, fault_of_name, fault_of_number, fault_of_text
from interface.spreadsheet import BadCell, as_identifier, as_text
from projections.funds import _named, _plain

INVISIBLE = (
    "\u200b\u200d\u200e\u200f\u202a\u202e\u2028\u2029\u2060\u2064\u2066\u2069\ufeff\u061c\xad\u3164"
)


@pytest.mark.parametrize("letter", INVISIBLE)
@pytest.mark.parametrize("fault_of", [fault_of_text, fault_of_name, fault_of_number])
def test_what_nobody_sees_is_in_no_text(letter: str, fault_of: Any) -> None:
    assert fault_of(f"张{letter}三") == "invisible_character"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A  B", "blanks"), ("A\u3000B", "blanks"), ("A\xa0B", "blanks"), ("A\u2003B", "blanks"),
        (" A", "blanks"), ("１２", "full_width"), ("e\u0301", "not_composed"),
        ("\ufa10", "not_composed"), ("葛\U000e0100", "invisible_character"),
        ("a\tb", "control_character"),
        ("\ue81e", "private_use_character"), ("借字〔2023〕1号", None), ("A B;C", None),
    ],
)  # fmt: skip
def test_a_new_number_looks_like_no_other(text: str, fault: str | None) -> None:
    assert fault_of_number(text) == fault


@pytest.mark.parametrize(
    "name", ["张　三", "买买提·艾力", "\U00030edd", "\U0002b4e7", "㐆", "葛\U000e0100"]
)
def test_a_rare_name_is_a_name(name: str) -> None:
    assert fault_of_name(name) is None


@pytest.mark.parametrize("text", ["张\u200b三", "张\u202e三", "a\x01b", "\ue81e"])
def test_json_and_files_say_the_same_of_a_name(text: str) -> None:
    with pytest.raises(BadCell) as in_file:
        as_text(text, name=True)
    with pytest.raises(ValidationError) as in_json:
        Account(account="62220001", name=text)
    assert in_json.value.errors()[0]["type"] == in_file.value.code
    assert in_file.value.code in FAULTS


@pytest.mark.parametrize("ref", ["r\u200b1", "A  B", "A\u3000B", "e\u0301", "１", "\u2066r"])
def test_json_and_files_say_the_same_of_a_reference(ref: str) -> None:
    with pytest.raises(BadCell) as in_file:
        as_identifier(ref)
    for told in ({"ref": ref}, {"voucher": ref}):
        body = controls.pay().model_dump(mode="json") | told
        with pytest.raises(ValidationError) as in_json:
            PaySubsidy.model_validate(body)
        assert in_json.value.errors()[0]["type"] == in_file.value.code


def test_a_number_stored_before_the_rule_can_still_be_named() -> None:
    body = controls.repay().model_dump() | {"loan_no": "A  B;C\u3000D"}
    assert RepayLoan.model_validate(body).loan_no == "A  B;C\u3000D"


ODD = ["A B", "A  B", "A   B", "A;B", "A  ;B", "A\u3000B", "A\u3000\u3000B", "A%20.B", "A:B",
       "A::B", 'A"B', "A\u200bB", "A-B", "A-2DB", "A\u02daB", "AB"]  # fmt: skip


def test_no_two_numbers_are_one_account_for_hledger_or_beancount() -> None:
    accounts = [f"subsidy:NRCB:{number}" for number in ODD]
    for written in (_plain, _named):
        assert len({written(account) for account in accounts}) == len(ODD)
    for account in map(_plain, accounts):
        assert "  " not in account
        assert not any(each in account for each in ';"\u3000\u200b')
        assert account.count(":") == 2
