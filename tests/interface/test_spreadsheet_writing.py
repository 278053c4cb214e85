"""What goes out as a file: exact, readable again, and nothing in it runs (文件导出)."""

import csv
import io
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interface.spreadsheet import (
    Column,
    as_basis_points,
    as_date,
    as_fen,
    as_identifier,
    as_integer,
    csv_blocks,
    match_header,
    open_rows,
    write_csv,
    write_xlsx,
    writing,
)

COLUMNS = (
    Column("ref", "流水号", "reference", "identifier"),
    Column("payer_name", "付款户名", "payer", "text"),
    Column("principal", "本金(元)", "principal", "fen"),
    Column("annual_rate", "年利率(%)", "rate", "bp"),
    Column("effective_on", "还款日期", "day", "date"),
    Column("recorded_at", "记录时间", "recorded", "instant"),
    Column("loans", "笔数", "loans", "integer"),
)
ROW = {
    "ref": "411381199001011234",
    "payer_name": "张䶮",
    "principal": 1_000_005,
    "annual_rate": 365,
    "effective_on": date(2023, 3, 21),
    "recorded_at": datetime(2023, 3, 21, 8, 0, tzinfo=timezone(timedelta(hours=8))),
    "loans": 3,
}
NAME = COLUMNS[1:2]
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"))
RISKY = st.builds(
    str.__add__,
    st.text("'=+-@＝＋－＠\t\r\n ", max_size=4),
    WORDS,
)


def written(columns, rows) -> bytes:
    return b"".join(csv_blocks(columns, rows))


def read(path):
    with open_rows(path) as rows:
        return match_header(rows.header, COLUMNS), [cells for _, cells in rows]


def first_cells(path):
    with open_rows(path) as rows:
        return [cells[0] for _, cells in rows]


def test_a_csv_opens_in_excel_as_chinese_with_exact_figures():
    assert written(COLUMNS, [ROW]).decode("utf-8") == (
        "\ufeff流水号 ref,付款户名 payer_name,本金(元) principal,年利率(%) annual_rate,"
        "还款日期 effective_on,记录时间 recorded_at,笔数 loans\r\n"
        "411381199001011234,张䶮,10000.05,3.65,2023-03-21,2023-03-21T00:00:00Z,3\r\n"
    )


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_what_was_written_is_read_back_equal(tmp_path, write):
    write(tmp_path / "table", COLUMNS, [ROW, tuple(ROW.values())])

    places, rows = read(tmp_path / "table")

    for cells in rows:
        assert as_identifier(cells[places["ref"]]) == ROW["ref"]
        assert cells[places["payer_name"]] == "张䶮"
        assert as_fen(cells[places["principal"]]) == 1_000_005
        assert as_basis_points(cells[places["annual_rate"]]) == 365
        assert as_date(cells[places["effective_on"]]) == date(2023, 3, 21)
        assert cells[places["recorded_at"]] == "2023-03-21T00:00:00Z"
        assert as_integer(cells[places["loans"]]) == 3
    assert len(rows) == 2


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_a_table_may_go_to_a_stream(tmp_path, write):
    stream = io.BytesIO()

    write(stream, COLUMNS, [ROW])

    (tmp_path / "table").write_bytes(stream.getvalue())
    assert len(read(tmp_path / "table")[1]) == 1


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_an_empty_value_is_an_empty_cell(tmp_path, write):
    write(tmp_path / "table", COLUMNS, [{"ref": "RP-1"}])

    _, [cells] = read(tmp_path / "table")

    assert [cell or "" for cell in cells] == ["RP-1", "", "", "", "", "", ""]


@pytest.mark.parametrize("mark", [*"=+-@＝＋－＠", "\t=", "\r=", "\0", " =", "'="])
def test_a_text_that_would_run_stands_behind_an_apostrophe(mark):
    lines = written(NAME, [[f"{mark}cmd|' /C calc'!A0"]]).decode("utf-8-sig")
    [_, [cell]] = csv.reader(io.StringIO(lines, newline=""))

    assert cell.startswith("'")
    assert "\0" not in cell


def test_an_amount_below_zero_stays_a_number_but_such_a_text_does_not():
    columns = (COLUMNS[2], COLUMNS[1])

    assert written(columns, [[-1234, "-12.34"]]).endswith(b"\r\n-12.34,'-12.34\r\n")


@given(texts=st.lists(WORDS | RISKY, min_size=1))
def test_any_text_survives_csv_and_none_of_it_runs(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    write_csv(path, NAME, [[text] for text in texts])

    lines = path.read_bytes().decode("utf-8-sig")
    cells = [cells[0] for cells in csv.reader(io.StringIO(lines, newline="")) if cells]

    assert first_cells(path) == [text.strip() for text in texts if text.strip()]
    assert not any(cell.startswith(tuple("=+-@＝＋－＠\t\r\0")) for cell in cells)


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(WORDS | RISKY, min_size=20, max_size=60))
def test_any_text_survives_a_workbook_and_none_of_it_runs(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("xlsx") / "table.xlsx"
    write_xlsx(path, NAME, [[text] for text in texts])

    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")

    assert first_cells(path) == [text.strip() for text in texts if text.strip()]
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet


def test_a_workbook_keeps_identifiers_as_text_and_amounts_as_exact_numbers(tmp_path):
    path = tmp_path / "table.xlsx"
    write_xlsx(path, COLUMNS, [ROW, {**ROW, "principal": -1, "payer_name": "=1+1"}])

    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()

    assert ">411381199001011234</t>" in sheet
    assert "<v>10000.05</v>" in sheet
    assert "<v>-0.01</v>" in sheet
    assert 'quotePrefix="1"' in styles
    with open_rows(path) as rows:
        [(_, first), _] = rows
    assert first[2:5] == [Decimal("10000.05"), Decimal("3.65"), date(2023, 3, 21)]


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_the_number_in_a_workbook_is_the_amount_to_the_fen(amount_fen):
    assert Decimal(f"{Decimal(amount_fen).scaleb(-2):.16G}") * 100 == amount_fen


def test_an_amount_too_long_for_a_spreadsheet_number_is_written_as_text(tmp_path):
    write_xlsx(tmp_path / "table.xlsx", COLUMNS[2:3], [[10**15 + 1]])

    [cell] = first_cells(tmp_path / "table.xlsx")

    assert cell == "10000000000000.01"
    assert as_fen(cell) == 10**15 + 1


def test_a_text_no_cell_can_hold_is_refused_rather_than_dropped(tmp_path):
    with pytest.raises(ValueError, match="32767"):
        write_xlsx(tmp_path / "table.xlsx", NAME, [["长" * 32_768]])


def test_a_full_sheet_is_followed_by_another_under_the_same_header(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MOST_ROWS_A_SHEET", 3)
    path = tmp_path / "table.xlsx"
    write_xlsx(path, NAME, [[str(number)] for number in range(5)])

    told = []
    for sheet in range(3):
        with open_rows(path, sheet=sheet) as rows:
            told.append((rows.header, [cells[0] for _, cells in rows]))

    header = ["付款户名 payer_name"]
    assert told == [(header, ["0", "1"]), (header, ["2", "3"]), (header, ["4"])]


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("principal", Decimal("1.00")),
        ("principal", True),
        ("loans", "3"),
        ("effective_on", datetime(2023, 3, 21, tzinfo=UTC)),
        ("recorded_at", datetime(2023, 3, 21)),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_value_of_another_kind_is_a_fault_of_ours(tmp_path, write, key, value):
    with pytest.raises(TypeError):
        write(tmp_path / "table", COLUMNS, [{**ROW, key: value}])


def test_a_row_with_too_few_or_too_many_values_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="shorter"):
        written(COLUMNS, [["RP-1"]])


@pytest.mark.parametrize(("write", "count"), [(write_csv, 20_000), (write_xlsx, 5_000)])
def test_a_long_table_is_written_in_constant_memory(tmp_path, write, count):
    rows = ({**ROW, "ref": f"RP-{number:020}"} for number in range(count))

    tracemalloc.start()
    write(tmp_path / "table", COLUMNS, rows)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 4 << 20
