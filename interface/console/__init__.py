"""The console (控制台): pages for people, beside JSON, files and the command line.

A page adds no fact and no rule: it shows what the query functions of `projections` answer, within
the rights of the table in `interface.http.permissions`.
"""
