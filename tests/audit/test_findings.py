"""The evidence bundle of every finding of the rules' examples is accepted by the verifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from support.county import drawn
from support.examples import Example, examples_of
from support.red_flags import record_example

from application.personal_data.encryption import Vault
from application.transparency_log.proofs import Proofs, trust_policy
from application.transparency_log.sequencer import Sequencer
from application.transparency_log.signer import FileSigner
from interface.auditor import verify
from interface.exports.evidence import finding_bundle, finding_of
from projections.red_flags import Rule, check, rules

ORIGIN = "test.local/ledger/sha-256"
EXAMPLES = [
    (rule, example) for rule in rules() for example in examples_of(rule.id) if example.flagged
]
_KINDS = {"RF12": 2, "RF21": 2, "RF26": 9}
"""How many examples of a rule are asked, where it flags several kinds; of the others the first."""
ASKED = [
    (rule, example)
    for rule, example in EXAMPLES
    if [e for r, e in EXAMPLES if r is rule].index(example) < _KINDS.get(rule.id, 1)
]


@pytest.mark.parametrize(
    ("rule", "example"), ASKED, ids=[f"{rule.id}: {each.name}" for rule, each in ASKED]
)
def test_its_evidence_is_accepted(
    database: Any, tmp_path: Path, rule: Rule, example: Example
) -> None:
    record_example(database, example)
    signer = FileSigner.create(tmp_path / "key.json")
    sequencer = Sequencer(database.dsn, ORIGIN, signer, Vault(database.keys).authenticate)
    sequencer.catch_up()
    sequencer.close()
    trust = verify.policy_of(trust_policy(signer.key(ORIGIN), [], 0).encode())
    with (
        drawn(database) as facts,
        facts.at(example.as_of) as view,
        psycopg.connect(database.dsn, autocommit=True) as connection,
    ):
        found = check(view, rule).findings
        assert found
        for finding in found:
            shown = finding_of(view, rule, finding.subject)
            assert shown is not None
            content = finding_bundle(Proofs(connection, ORIGIN), signer, shown)
            said = verify.check_bundle(msgspec.json.encode(content), trust)
            assert "resting on" in said
            if not finding.positions:
                assert "credit_cap_fen" in said or "lpr" in said, said
