"""Plain facts drawn from the log: rows that are only ever inserted, each with both its dates."""
