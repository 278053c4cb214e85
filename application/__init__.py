"""What may be asked of the ledger: one command, one decision, one transaction."""

from application import (
    batch_decisions,
    case_decisions,
    decisions,
    link_decisions,
    publish_decisions,
)

__all__ = [
    "batch_decisions",
    "case_decisions",
    "decisions",
    "link_decisions",
    "publish_decisions",
]
