"""Plain facts projected from the log: rows that are only inserted, each with both its dates."""
