"""Where the world comes in and looks: HTTP, pages, files and the command line.

Yuan and per cent exist only here; everything behind speaks of fen, basis points and civil days.
"""
