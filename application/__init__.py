"""What may be asked of the ledger: one command, one decision, one transaction."""
