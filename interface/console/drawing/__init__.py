"""Pictures as the server draws them: geometry here, markup in `templates/drawing`.

Every picture prints, needs no script, and has its table beside it.
"""
