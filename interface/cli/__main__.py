"""`python -m interface.cli`."""

if __name__ == "__main__":  # a second process imports this module too, and needs none of it
    import os

    from interface.cli.app import app

    os.umask(0o077)
    app()
