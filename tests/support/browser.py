"""A person's browser on the console."""

from __future__ import annotations

import re
from typing import Any

import pyotp
from starlette.testclient import TestClient
from support import controls as c
from support.chance import wait_until
from support.county import ORGANISATIONS
from support.service import Callers

from application import people

PASSWORD = "a long enough password"
HOST = "https://console.test"


class Browser:
    """A browser on one address: it keeps its cookies and follows no redirect by itself."""

    def __init__(self, callers: Callers, host: str = HOST, agent: str = "a") -> None:
        self.client = TestClient(
            callers.client.app,
            base_url=host,
            headers={"User-Agent": agent},
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        self.client.portal = callers.client.portal  # the loop that the service records on

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, params=query or None)

    def awaited(self, path: str, **query: Any) -> Any:
        """The page, once nothing of it is being worked out."""
        answers: list[Any] = []

        def is_whole() -> bool:
            answers.append(self.get(path, **query))
            return "refresh" not in answers[-1].headers

        wait_until(is_whole, f"{path} is worked out")
        return answers[-1]

    def post(self, path: str, origin: str | None = HOST, **fields: str) -> Any:
        return self.client.post(path, data=fields, headers={"Origin": origin} if origin else {})

    def send(self, page: str, action: str, **fields: str) -> Any:
        """Send a form that stands on a page, with the token that it carries."""
        form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', self.get(page).text,
                         re.DOTALL)  # fmt: skip
        assert form is not None, (page, action)
        [token] = re.findall(r'name="token" value="(\w+)"', form[0])
        return self.post(action, token=token, **fields)

    def sign_in(self, organisation: str, code: str, password: str = PASSWORD, **more: Any) -> Any:
        return self.post(
            "/sign-in",
            organisation=organisation,
            person=organisation.lower(),
            password=password,
            code=code,
            **more,
        )


def lend_and_pay(callers: Callers) -> int:
    """NRCB lent L1 to H1 of T01, some was repaid, and PAY-1 was paid; waits until all is sealed."""
    pay = c.pay(period="2023Q3", amount_fen=36_297, effective_on="2023-09-25")
    position = 0
    for caller, path, body in (
        (callers.BUREAU, "/households", c.body(c.household()) | {"ref": "HH-1"}),
        (callers.NRCB, "/loans", c.body(c.loan(purpose="<script>")) | {"ref": "LN-1"}),
        (callers.NRCB, "/loans/L1/repayments", c.body(c.repay(), "loan_no") | {"ref": "RP-1"}),
        (callers.FINANCE, "/loans/L1/subsidy-payments",
         c.body(pay, "loan_no") | {"ref": "PAY-1"}),
    ):  # fmt: skip
        answer = caller.post(path, body)
        assert answer.status_code == 201, answer.text
        position = answer.json()["position"]
    for path in ("/ledgers/loans", "/log/checkpoint"):

        def is_reached(path: str = path) -> bool:
            return bool(callers.AUDIT.get(path, position=position).status_code == 200)

        wait_until(is_reached, f"{path} at {position}")
    return position


def signed_in(callers: Callers, database: Any) -> dict[str, Browser]:
    """A signed-in browser of each organisation, by its code; each person's name is markup."""
    found = {}
    for organisation in ORGANISATIONS:
        code = organisation.code
        secret = people.enrol(
            database.owner_dsn, database.keys, code, code.lower(), "<script>张某", PASSWORD
        )
        found[code] = Browser(callers)
        answer = found[code].sign_in(code, pyotp.TOTP(secret).now())
        assert answer.status_code == 303, answer.text
    return found


def figures(text: str) -> list[int]:
    """The figures of a page, in fen."""
    return [int(fen) for fen in re.findall(r'data-fen="(-?\d+)"', text)]


def without_script(text: str) -> str:
    """A page without the one script that it names."""
    text, found = re.subn(r'<script type="module" src="/static/[\w.-]+"></script>', "", text)
    assert found == 1
    return text
