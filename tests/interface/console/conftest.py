"""One small county for the tests of all pages: a household, a loan, a repayment, a payment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import Browser, lend_and_pay, signed_in
from support.service import Callers, service


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """The service over a county in which NRCB lent to H1 of T01, and PAY-1 was paid."""
    with service(shared_database) as callers:
        lend_and_pay(callers)
        yield callers


@pytest.fixture(scope="module")
def browsers(callers: Callers, shared_database: Any) -> dict[str, Browser]:
    """A signed-in browser of each organisation."""
    return signed_in(callers, shared_database)
