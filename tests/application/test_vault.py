"""Keys, pseudonyms, sealed values: equal where they must be, useless to whoever lacks the key."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.personal_data.encryption import (
    Keys,
    KeysMissing,
    Mac,
    Vault,
    masked_name,
    masked_number,
)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_the_prepared_mac_is_hmac_sha256(key: bytes, message: bytes) -> None:
    assert Mac(key)(message) == hmac.digest(key, message, "sha256")


def test_equal_values_have_equal_pseudonyms_under_one_key_and_others_under_another() -> None:
    ours, theirs = Vault(Keys.generate()), Vault(Keys.generate())

    assert ours.pseudonym("person", "A") == ours.pseudonym("person", "A")
    assert ours.pseudonym("person", "A") != ours.pseudonym("account", "A")
    assert ours.pseudonym("person", "A") != theirs.pseudonym("person", "A")


def test_a_sealed_value_opens_for_its_own_event_alone() -> None:
    vault, household = Vault(Keys.generate()), uuid4()
    vault.new_household_key(household)
    event = (uuid4(), 3, "loan.repaid.v1")
    sealed = vault.seal(household, event, {"payer_name": "张三"})

    assert vault.unseal(household, event, sealed) == {"payer_name": "张三"}
    assert vault.unseal(household, (event[0], 4, event[2]), sealed) is None
    assert vault.unseal(household, (event[0], 3, "loan.disbursed.v1"), sealed) is None
    vault.forget(household)
    assert vault.unseal(household, event, sealed) is None


def test_the_same_value_sealed_twice_looks_different() -> None:
    vault, household = Vault(Keys.generate()), uuid4()
    vault.new_household_key(household)
    event = (uuid4(), 1, "loan.repaid.v1")

    assert vault.seal(household, event, {}) != vault.seal(household, event, {})


def test_the_key_file_is_its_owners_alone_and_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.generate()
    keys.save(path)

    assert Keys.load(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        Keys.generate().save(path)


@pytest.mark.parametrize("content", ["", "{}", '{"wrapping": "AA=="}'])
def test_a_key_file_that_is_not_whole_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(KeysMissing):
        Keys.load(path)


def test_names_and_numbers_are_masked() -> None:
    assert masked_name("欧阳三丰") == "欧***"
    assert masked_name("王") == "*"
    assert masked_number("411381199001011234") == "****1234"
    assert masked_number("123") == "****"
