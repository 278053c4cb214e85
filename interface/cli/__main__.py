"""`python -m interface.cli`."""

import os

from interface.cli.app import app

if __name__ == "__main__":
    os.umask(0o077)
    app()
