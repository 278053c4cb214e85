"""What organisations submit, and the ledger that lets the domain decide it."""
