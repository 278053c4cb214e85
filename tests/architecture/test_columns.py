"""Every column that a question answers with says what it is called and holds, and where."""

from __future__ import annotations

from collections import defaultdict

from support.columns import declared

from domain.duties import STATES, Duty
from interface.exports.table_files import file_columns
from projections.columns import keys
from projections.duties.columns import DUTIES, SUMMARY
from projections.fund_flow import Edge
from projections.fund_flow.attribution import METHODS
from projections.fund_flow.columns import GRAPH, MISUSE_BY_ACCOUNT, MISUSE_BY_LOAN

UNITS = {
    "text": {"none"},
    "identifier": {"none"},
    "fen": {"fen"},
    "bp": {"bp"},
    "date": {"day"},
    "instant": {"UTC"},
}


def test_every_column_has_both_titles_a_kind_and_the_unit_of_its_kind() -> None:
    columns = {column for table in declared().values() for column in table}
    assert len(columns) > 200
    for column in columns:
        assert any("\u4e00" <= character <= "\u9fff" for character in column.title_zh), column
        assert column.title_en.isascii() and column.title_en.strip(), column
        assert column.unit in UNITS.get(column.kind, {column.unit} - {"none"}), column


def test_an_amount_and_a_rate_say_their_unit_in_key_and_title() -> None:
    for column in {column for table in declared().values() for column in table}:
        assert (column.kind == "fen") == column.key.endswith("_fen"), column
        assert (column.kind == "bp") == column.key.endswith("_bp"), column
        assert (column.kind == "fen") == column.title_zh.endswith("(元)"), column
        assert (column.kind == "bp") == column.title_zh.endswith("(%)"), column


def test_a_file_names_the_unit_that_it_holds() -> None:
    ends = {"fen": "_yuan", "bp": "_percent"}
    for where, table in declared().items():
        columns = file_columns(table)
        assert len({column.heading for column in columns}) == len(columns), where
        for column in columns:
            named = column.heading.split()[-1]
            assert not named.endswith(("_fen", "_bp")), column
            assert named == column.key or named.endswith(ends[column.kind]), column


def test_no_table_names_a_column_twice_and_one_key_is_one_kind_everywhere() -> None:
    kinds = defaultdict(set)
    for where, table in declared().items():
        assert len(set(keys(table))) == len(table), where
        for column in table:
            kinds[column.key].add(column.kind)
    several = {key for key, found in kinds.items() if len(found) > 1}
    assert several == {"findings", "households", "loans"}, "a count here, names there: JSON alone"


def test_columns_of_rows_that_python_makes_stand_in_the_order_of_the_rows() -> None:
    assert keys(DUTIES)[8:-1] == Duty._fields[1:]
    assert keys(SUMMARY)[4:] == STATES
    assert keys(GRAPH)[2:] == Edge._fields[2:]
    for table in (MISUSE_BY_LOAN, MISUSE_BY_ACCOUNT):
        first = keys(table).index("max_fen") + 1
        assert keys(table)[first : first + len(METHODS)] == tuple(f"{m}_fen" for m in METHODS)
