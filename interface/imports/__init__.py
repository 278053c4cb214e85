"""Files that organisations send: statements of a bank, results of a payment order."""
