"""The command line: `python -m interface.cli`."""
