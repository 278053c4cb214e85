"""Tables that banks and offices send and take away, as CSV or XLSX (表格文件).

A file is read row by row and refused by rule, never guessed at; what is written reads back the
same, and nothing in it runs.
"""

from interface.spreadsheet.cells import (
    as_basis_points,
    as_date,
    as_fen,
    as_identifier,
    as_integer,
    as_known,
    as_text,
    optional,
)
from interface.spreadsheet.columns import Column, Kind, match_header
from interface.spreadsheet.reading import Row, RowReader, open_rows
from interface.spreadsheet.refusals import BadCell, BadRow, Cell, FileRefusal, UnreadableFile
from interface.spreadsheet.writing import csv_blocks, write_csv, write_xlsx

__all__ = [
    "BadCell",
    "BadRow",
    "Cell",
    "Column",
    "FileRefusal",
    "Kind",
    "Row",
    "RowReader",
    "UnreadableFile",
    "as_basis_points",
    "as_date",
    "as_fen",
    "as_identifier",
    "as_integer",
    "as_known",
    "as_text",
    "csv_blocks",
    "match_header",
    "open_rows",
    "optional",
    "write_csv",
    "write_xlsx",
]
