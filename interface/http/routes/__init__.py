"""The JSON routes: they translate and never decide."""
