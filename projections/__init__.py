"""What may be read. All of it can be dropped and drawn again from the log."""
