"""What may be asked of the ledger: one command, one decision, one transaction."""

from application import decisions

__all__ = ["decisions"]
