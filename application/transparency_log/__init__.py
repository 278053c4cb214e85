"""The tree over the log: sealing, checkpoints, proofs (docs/tamper-evidence.md)."""
