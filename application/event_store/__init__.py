"""The append-only store: the log, its migrations, its guards."""
