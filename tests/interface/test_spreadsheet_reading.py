"""What comes in as a file: read as it is, or refused by rule (文件导入)."""

import re
import struct
import tracemalloc
import zipfile
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from interface.spreadsheet import (
    BadCell,
    BadRow,
    Column,
    UnreadableFile,
    as_basis_points,
    as_date,
    as_fen,
    as_identifier,
    as_integer,
    as_text,
    guard,
    match_header,
    open_rows,
    optional,
)
from interface.spreadsheet.guard import MOST_INFLATED_BYTES, RATIO_COUNTS_ABOVE_BYTES, Guard
from interface.spreadsheet.workbook import Workbook

REF = Column("ref", "流水号", "reference", "identifier")
PRINCIPAL = Column("principal", "本金(元)", "principal", "fen")
PENALTY = Column("penalty", "罚息(元)", "penalty", "fen", required=False)

TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
SHEET = "xl/worksheets/sheet1.xml"


def csv_file(folder: Path, content: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(content)
    return path


def read(path: Path, **options):
    with open_rows(path, **options) as rows:
        return rows.header, list(rows)


def refusal_of(path: Path, **options) -> str:
    with pytest.raises(UnreadableFile) as refused, open_rows(path, **options) as rows:
        list(rows)
    assert refused.value.zh
    assert refused.value.en
    return refused.value.code


def bad(call, *arguments, **options) -> str:
    with pytest.raises(BadCell) as refused:
        call(*arguments, **options)
    assert refused.value.zh
    assert refused.value.en
    return refused.value.code


def workbook(folder: Path, rows: Iterable[Iterable[object]], name: str = "book.xlsx") -> Path:
    path = folder / name
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet("还款")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return path


def altered(path: Path, *, remove: str = "", **parts: bytes) -> Path:
    """The same workbook with other parts; `__` in a name stands for a slash."""
    named = {name.replace("__", "/").replace("_DOT_", "."): body for name, body in parts.items()}
    with zipfile.ZipFile(path) as archive:
        kept = {
            each: archive.read(each)
            for each in archive.namelist()
            if each not in named and each != remove
        }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in (kept | named).items():
            archive.writestr(name, body)
    return path


def sheet_xml(cells: bytes) -> bytes:
    return (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b"<sheetData>" + cells + b"</sheetData></worksheet>"
    )


# Text files


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
    ],
)
def test_the_encoding_is_found_and_the_text_is_whole(tmp_path, encoding, told):
    path = csv_file(tmp_path, "流水号,户名\nRP-1,张䶮\n".encode(encoding))

    with open_rows(path) as rows:
        assert (rows.format, rows.encoding, rows.header) == ("csv", told, ["流水号", "户名"])
        assert list(rows) == [(2, ["RP-1", "张䶮"])]


def test_a_character_that_gbk_lacks_is_read_from_gb18030(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        "䶮".encode("gbk")

    assert read(csv_file(tmp_path, "户名\n䶮\n".encode("gb18030")))[1] == [(2, ["䶮"])]


def test_the_encoding_is_judged_by_the_whole_file_not_by_its_beginning(tmp_path):
    content = b"a,b\n" + b"1,2\n" * 300_000 + "张,三\n".encode("gb18030")

    with open_rows(csv_file(tmp_path, content)) as rows:
        assert rows.encoding == "gb18030"


@given(padding=st.integers(0, 9))
def test_a_character_may_straddle_two_blocks(tmp_path_factory, padding):
    folder = tmp_path_factory.mktemp("blocks")
    line = "𠮷" * 99 + "\n"
    content = ("a" * padding + "\n" + line * 3000).encode("gb18030")

    _, rows = read(csv_file(folder, b"h\n" + content))

    assert rows[-1][1] == ["𠮷" * 99]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n \n\n", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"a,b\n1,\x002\n", "not_text"),
        ("a,b\n1,2\n".encode("utf-16-le"), "not_text"),
        (b"a,b\n\xff\xff,1\n", "not_text"),
        (b"\xef\xbb\xbfa,b\n\xd5\xc5,1\n", "not_text"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "pdf_file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "old_excel_or_encrypted"),
        (b'a,b\n1,"2\n3,4\n', "broken_quotes"),
        (b'a,b\n"1"2,3\n', "broken_quotes"),
        (b"a" * (3 << 20), "line_too_long"),
    ],
)
def test_what_is_not_a_table_is_refused(tmp_path, content, code):
    assert refusal_of(csv_file(tmp_path, content)) == code


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";", "|!"])
def test_the_delimiter_is_found_in_the_header(tmp_path, delimiter):
    lines = [delimiter.join(cells) for cells in (["a", "b", "c"], ["1", "2 3", "4"])]

    assert read(csv_file(tmp_path, "\n".join(lines).encode())) == (
        ["a", "b", "c"],
        [(2, ["1", "2 3", "4"])],
    )


def test_a_delimiter_in_quotes_is_no_delimiter(tmp_path):
    path = csv_file(tmp_path, b'"a,b,c,d"|e\n"1,1"|2\n')

    assert read(path) == (["a,b,c,d", "e"], [(2, ["1,1", "2"])])


def test_the_delimiter_may_be_given(tmp_path):
    assert read(csv_file(tmp_path, b"a,b;c\n1,2;3\n"), delimiter=";")[1] == [(2, ["1,2", "3"])]


def test_blank_rows_are_skipped_and_the_numbers_are_those_of_a_spreadsheet(tmp_path):
    path = csv_file(tmp_path, b'\na,b\n\n1,2\n , \n"3\n3",4\n5,6\n')

    assert read(path)[1] == [(4, ["1", "2"]), (6, ["3\n3", "4"]), (7, ["5", "6"])]


def test_a_short_row_is_filled_and_a_long_row_is_told_apart(tmp_path):
    path = csv_file(tmp_path, b"a,b,c,\n1\n1,2,3,,\n1,2,3,4\n5,6,7\n")

    _, rows = read(path)

    assert rows[:2] == [(2, ["1", "", ""]), (3, ["1", "2", "3"])]
    assert isinstance(rows[2], BadRow)
    assert (rows[2].row, rows[2].code) == (4, "too_many_cells")
    assert rows[3] == (5, ["5", "6", "7"])


def test_cells_are_trimmed_of_the_tabs_and_wide_spaces_banks_add(tmp_path):
    path = csv_file(tmp_path, "账号,户名\n6228480012345678901\t,　张三 \n".encode())

    assert read(path)[1] == [(2, ["6228480012345678901", "张三"])]


def test_a_long_file_is_read_in_constant_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        stream.write("流水号,借据号,本金\n".encode())
        for number in range(200_000):
            stream.write(b"RP-%08d,JJ-2023-%08d,10000.00\n" % (number, number))

    tracemalloc.start()
    with open_rows(path) as rows:
        count = sum(1 for _ in rows)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 200_000
    assert peak_bytes < 20 << 20


# Workbooks


def test_a_workbook_is_known_by_its_content_and_gives_typed_cells(tmp_path):
    path = workbook(
        tmp_path,
        [
            ["流水号", "金额", "日期", "是否", "空"],
            [],
            ["RP-1", 2598.5, date(2023, 3, 21), True, None],
            ["RP-2", 0, datetime(2023, 3, 21, 10, 5), False, " x "],  # noqa: DTZ001 - a cell
        ],
        name="named.csv",
    )

    with open_rows(path) as rows:
        assert rows.format == "xlsx"
        assert rows.header == ["流水号", "金额", "日期", "是否", "空"]
        assert list(rows) == [
            (3, ["RP-1", Decimal("2598.5"), date(2023, 3, 21), True, None]),
            (4, ["RP-2", Decimal(0), datetime(2023, 3, 21, 10, 5), False, "x"]),  # noqa: DTZ001
        ]


def test_a_table_that_begins_below_and_aside_keeps_its_row_numbers(tmp_path):
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 3, ["a", "b"])
        sheet.write_row(5, 3, ["1", "2"])
        sheet.write_row(6, 3, ["1", "2", "3"])

    header, rows = read(path)

    assert header == ["a", "b"]
    assert rows[0] == (6, ["1", "2"])
    assert (rows[1].row, rows[1].code) == (7, "too_many_cells")


def test_a_sheet_is_chosen_by_name_or_by_place_among_the_visible(tmp_path):
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name in ("秘密", "放款", "还款"):
            book.add_worksheet(name).write_row(0, 0, [name])
        book.get_worksheet_by_name("放款").activate()
        book.get_worksheet_by_name("秘密").hide()

    assert read(path)[0] == ["放款"]
    assert read(path, sheet=1)[0] == ["还款"]
    assert read(path, sheet="秘密")[0] == ["秘密"]
    assert refusal_of(path, sheet=2) == "no_such_sheet"
    assert refusal_of(path, sheet="x") == "no_such_sheet"


def test_an_empty_sheet_is_an_empty_file(tmp_path):
    assert refusal_of(workbook(tmp_path, [])) == "empty_file"


def test_an_error_cell_is_refused_rather_than_read_as_empty(tmp_path):
    """The parser gives an empty text for #N/A; an unknown penalty must not become none."""
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["罚息"])
        sheet.write_formula(1, 0, "=NA()", None, "#N/A")

    with pytest.raises(UnreadableFile, match="A2") as refused:
        open_rows(path)

    assert refused.value.code == "formula_error"


def test_a_reader_that_is_left_early_leaves_no_process(tmp_path):
    path = workbook(tmp_path, [[str(number)] for number in range(5000)])
    book = Workbook(path, 0)
    first = next(book.rows())

    book.close()

    assert first == (1, ["0"])
    assert book._process.returncode is not None


def test_a_bomb_is_refused_long_before_it_is_unpacked(tmp_path):
    path = altered(workbook(tmp_path, [["a"]]), bomb_DOT_xml=b" " * (90 << 20))
    look = Guard(path)

    with pytest.raises(UnreadableFile) as refused:
        look.check()

    assert refused.value.code == "packed_too_tightly"
    assert look.inflated_bytes < RATIO_COUNTS_ABOVE_BYTES + (1 << 20)


def test_a_bomb_that_lies_about_its_size_is_counted_all_the_same(tmp_path):
    path = altered(workbook(tmp_path, [["a"]]), bomb_DOT_xml=b" " * (50 << 20))
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 50 << 20), struct.pack("<L", 10)))

    assert refusal_of(path) == "packed_too_tightly"


def test_many_parts_that_are_large_together_are_refused(tmp_path):
    parts = {f"p{number}_DOT_xml": _bulky(9 << 20, 2_000) for number in range(11)}
    parts |= {"q_DOT_xml": _bulky(9 << 20, 40_000)}
    look = Guard(altered(workbook(tmp_path, [["a"]]), **parts))

    with pytest.raises(UnreadableFile) as refused:
        look.check()

    assert refused.value.code == "unpacks_too_large"
    assert look.inflated_bytes < MOST_INFLATED_BYTES + (1 << 20)


def _bulky(size: int, numbers: int) -> bytes:
    """Text that packs about 120 times with 2,000 numbers, and about twice with 40,000."""
    piece = b" ".join(b"%d" % (number * 7919) for number in range(numbers))
    return (piece * (size // len(piece) + 1))[:size]


def test_a_part_whose_shape_is_a_bomb_for_the_parser_is_refused(tmp_path):
    """Two cells in the far corners make the parser lay out every cell between them."""
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    path = altered(
        workbook(tmp_path, [["a"]]), xl__worksheets__sheet1_DOT_xml=sheet_xml(cells + far)
    )

    assert refusal_of(path) == "sheet_too_large"


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_cell_cut_in_two_by_a_block_is_still_counted(cut):
    tag = b'<c r="XFD1048576"/>'

    with pytest.raises(UnreadableFile) as refused:
        guard._Part(SHEET).look(iter([b"<row>" + tag[:cut], tag[cut:] + b"</row>"]))

    assert refused.value.code == "sheet_too_large"


def test_cells_without_an_address_are_refused(tmp_path):
    path = altered(
        workbook(tmp_path, [["a"]]),
        xl__worksheets__sheet1_DOT_xml=sheet_xml(b"<row><c><v>1</v></c></row>"),
    )

    assert refusal_of(path) == "cells_without_address"


def test_one_long_text_told_in_many_cells_ends_the_parser_and_not_the_server(tmp_path):
    """Shared strings: 2 MB once in the file, copied for each of a thousand cells."""
    text = _bulky(2 << 20, 40_000)
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n)
                     for n in range(1, 1001))  # fmt: skip
    path = altered(
        workbook(tmp_path, [["a"]]),
        xl__worksheets__sheet1_DOT_xml=sheet_xml(cells),
        xl__sharedStrings_DOT_xml=b'<sst xmlns="http://schemas.openxmlformats.org/'
        b'spreadsheetml/2006/main"><si><t>' + text + b"</t></si></sst>",
    )

    assert refusal_of(path) == "beyond_limits"


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;">]>'
XXE = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("opening", [LAUGHS, XXE])
@pytest.mark.parametrize("part", ["xl__workbook_DOT_xml", "xl__sharedStrings_DOT_xml"])
def test_entities_are_refused_in_every_part(tmp_path, opening, part):
    path = altered(workbook(tmp_path, [["a"]]), **{part: opening + b"<r>&x;</r>"})

    assert refusal_of(path) == "declares_entities"


def test_a_part_in_utf_16_cannot_hide_its_entities(tmp_path):
    path = altered(workbook(tmp_path, [["a"]]), evil_DOT_xml=XXE.decode().encode("utf-16"))

    assert refusal_of(path) == "broken_workbook"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("xl/vbaProject.bin", "holds_macros"),
        ("xl/macrosheets/sheet1.xml", "holds_macros"),
        ("xl/embeddings/oleObject1.bin", "holds_macros"),
        ("xl/externalLinks/externalLink1.xml", "external_links"),
        ("xl/connections.xml", "external_links"),
        ("../evil.xml", "unsafe_part_name"),
        ("xl/../../evil.xml", "unsafe_part_name"),
        ("/etc/passwd", "unsafe_part_name"),
        ("xl\\evil.xml", "unsafe_part_name"),
        ("c:evil.xml", "unsafe_part_name"),
        ("XL/Workbook.xml", "unsafe_part_name"),
        ("xl/workbook.bin", "not_a_workbook"),
    ],
)
def test_a_part_that_has_no_place_in_a_table_is_refused(tmp_path, part, code):
    path = workbook(tmp_path, [["a"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(part, b"x")

    assert refusal_of(path) == code


def test_a_macro_under_another_name_is_refused_by_its_type(tmp_path):
    kind = TYPES.replace(b"/>", b'><Default Extension="x" ContentType="a.vbaProject"/></Types>')
    path = altered(workbook(tmp_path, [["a"]]), **{"[Content_Types]_DOT_xml": kind})

    assert refusal_of(path) == "holds_macros"


def test_too_many_parts_are_refused_before_their_list_is_read(tmp_path):
    path = altered(
        workbook(tmp_path, [["a"]]), **{f"p{number}_DOT_xml": b"" for number in range(200)}
    )

    assert refusal_of(path) == "too_many_parts"


def test_a_large_file_is_refused_unopened(tmp_path):
    path = tmp_path / "large.xlsx"
    with path.open("wb") as stream:
        stream.write(b"PK\x03\x04")
        stream.truncate((20 << 20) + 1)

    assert refusal_of(path) == "file_too_large"


def test_another_archive_is_not_a_workbook(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", b"<w/>")

    assert refusal_of(path) == "not_a_workbook"


def test_a_workbook_that_broke_on_the_way_is_refused(tmp_path):
    path = workbook(tmp_path, [["a"], ["b"]])
    content = path.read_bytes()

    for broken in (content[: len(content) // 2], content + b"more", b"x" + content[1:30]):
        path.write_bytes(broken if broken[:1] != b"x" else b"PK\x03\x04" + broken)
        assert refusal_of(path) == "broken_workbook"


def test_a_workbook_whose_sheet_is_nonsense_is_refused(tmp_path):
    path = altered(workbook(tmp_path, [["a"]]), xl__worksheets__sheet1_DOT_xml=b"<a><b></a>")

    assert refusal_of(path) in {"broken_workbook", "empty_file"}


def test_overlapping_parts_are_refused(tmp_path):
    """One stretch of the file listed many times would be counted, but read many times over."""
    path = workbook(tmp_path, [["a"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("big.bin", b"x" * 100_000)
        twin = archive.getinfo("big.bin")
        for number in range(3):
            copy = zipfile.ZipInfo(f"twin{number}.bin")
            for each in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(copy, each, getattr(twin, each))
            archive.filelist.append(copy)

    assert refusal_of(path) == "broken_workbook"


# Headers


@pytest.mark.parametrize("title", ["流水号 ref", "流水号", "ref", "  REF ", "流水号　ref"])
def test_a_header_is_understood_in_either_language_or_both(title):
    assert match_header([title, "本金（元）"], [REF, PRINCIPAL]) == {"ref": 0, "principal": 1}


def test_an_optional_column_may_be_missing_and_columns_come_in_any_order():
    assert match_header(["principal", "ref"], [REF, PRINCIPAL, PENALTY]) == {
        "principal": 0,
        "ref": 1,
    }


def test_every_missing_repeated_and_unknown_column_is_named_in_both_languages():
    with pytest.raises(UnreadableFile) as refused:
        match_header(["罚息(元)", "penalty", "备注", ""], [REF, PRINCIPAL, PENALTY])

    assert refused.value.code == "header_mismatch"
    for words in (refused.value.zh, refused.value.en):
        assert all(each in words for each in ("ref", "principal", "penalty", "备注", "#4"))


# Cells


@pytest.mark.parametrize(
    ("cell", "amount_fen"),
    [
        ("50000", 5_000_000),
        ("50000.00", 5_000_000),
        ("0.5", 50),
        ("0", 0),
        ("466.3900", 46_639),
        ("1,234,567.89", 123_456_789),
        ("999999999999999.99", 99_999_999_999_999_999),
        (Decimal("2598.5"), 259_850),
        (Decimal("1E+3"), 100_000),
        (12, 1_200),
    ],
)
def test_yuan_in_the_file_are_fen_here(cell, amount_fen):
    assert as_fen(cell) == amount_fen


@given(st.integers(-(10**17) + 1, 10**17 - 1))
def test_every_amount_written_as_yuan_is_read_back_to_the_fen(amount_fen):
    sign, whole = "-" * (amount_fen < 0), abs(amount_fen)

    assert as_fen(f"{sign}{whole // 100}.{whole % 100:02}", negative=True) == amount_fen


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "empty_cell"),
        (None, "empty_cell"),
        ("12.345", "more_than_two_decimals"),
        (Decimal("133.47000000000003"), "more_than_two_decimals"),
        ("１２", "full_width"),
        ("12．5", "full_width"),
        ("¥12", "currency_sign"),
        ("12元", "currency_sign"),
        ("1,23.00", "not_an_amount"),
        ("1e3", "not_an_amount"),
        ("0012", "not_an_amount"),
        ("(12)", "not_an_amount"),
        ("NaN", "not_an_amount"),
        ("٣", "not_an_amount"),
        (True, "not_an_amount"),
        (date(2023, 3, 21), "not_an_amount"),
        ("-1", "negative_amount"),
        (Decimal("-0.01"), "negative_amount"),
        (Decimal("1E+300"), "amount_too_large"),
        ("12345678901234567890", "amount_too_large"),
    ],
)
def test_what_is_not_an_exact_amount_is_refused(cell, code):
    assert bad(as_fen, cell) == code


def test_an_amount_below_zero_is_read_where_the_column_allows_it():
    assert as_fen("-12.34", negative=True) == -1234


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("411381199001011234", "411381199001011234"),
        ("41138119900101123X", "41138119900101123X"),
        ("'0012", "0012"),
        ("12E5", "12E5"),
        ("豫农（2023）第1号", "豫农（2023）第1号"),
        (Decimal("123456789012345.0"), "123456789012345"),
        (7, "7"),
    ],
)
def test_an_identifier_keeps_every_character(cell, text):
    assert as_identifier(cell) == text


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (Decimal("4.113811990010113E+17"), "digits_lost"),
        (1_234_567_890_123_456, "digits_lost"),
        ("4.1138E+17", "digits_lost"),
        ("4E+17", "digits_lost"),
        ("４１１３", "full_width"),
        ("4113\u200b81", "invisible_character"),
        ("", "empty_cell"),
        (None, "empty_cell"),
        (True, "not_a_text"),
        (date(2023, 3, 21), "not_a_text"),
    ],
)
def test_an_identifier_that_lost_something_is_refused(cell, code):
    assert bad(as_identifier, cell) == code


def test_an_id_number_stored_as_a_number_is_refused_by_its_row(tmp_path):
    _, [(row, [cell])] = read(workbook(tmp_path, [["证件号"], [411381199001011234]]))

    assert row == 2
    assert bad(as_identifier, cell) == "digits_lost"


@pytest.mark.parametrize("code_point", [b"\xa6\xd9", b"\xfe\x59"])
def test_a_private_use_character_in_a_name_is_refused(tmp_path, code_point):
    """This Python maps some characters of GB18030-2022 to private use: 邓 must not become a box."""
    path = csv_file(tmp_path, "户名\n张".encode("gb18030") + code_point + b"\n")
    _, [(_, [cell])] = read(path)

    assert bad(as_text, cell, name=True) == "private_use_character"
    assert as_text(cell) == cell


def test_a_name_with_an_invisible_character_is_refused():
    assert bad(as_text, "张\u202d三", name=True) == "invisible_character"
    assert as_text("买买提·艾力　", name=True) == "买买提·艾力"


def test_a_number_in_a_text_column_is_what_was_typed():
    assert as_text(Decimal("3.0")) == "3"
    assert as_text(Decimal("3.5")) == "3.5"
    assert bad(as_text, False) == "not_a_text"


@pytest.mark.parametrize(
    ("cell", "rate_bp"),
    [
        ("3.65", 365),
        ("3.65%", 365),
        ("3.6500 %", 365),
        ("4", 400),
        (Decimal("3.65"), 365),
        (4, 400),
        ("0.35%", 35),
        ("0", 0),
    ],
)
def test_per_cent_in_the_file_are_basis_points_here(cell, rate_bp):
    assert as_basis_points(cell) == rate_bp


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("3.655", "more_than_two_decimals"),
        (Decimal("0.0365"), "more_than_two_decimals"),
        (Decimal("0.03"), "rate_unclear"),
        ("0.35", "rate_unclear"),
        ("3.65％", "full_width"),
        ("3.65‰", "not_a_rate"),
        ("-1", "negative_rate"),
        (True, "not_a_rate"),
        (None, "empty_cell"),
    ],
)
def test_a_rate_that_could_mean_two_things_is_refused(cell, code):
    assert bad(as_basis_points, cell) == code


@pytest.mark.parametrize(
    "cell",
    [
        "2023-03-21",
        "2023/3/21",
        "2023-3-21",
        "20230321",
        "2023年3月21日",
        "2023-03-21 00:00:00",
        date(2023, 3, 21),
        datetime(2023, 3, 21),  # noqa: DTZ001 - a cell knows no time zone
        Decimal(20230321),
        20230321,
    ],
)
def test_a_day_is_read_in_each_way_people_write_it(cell):
    day = as_date(cell)

    assert day == date(2023, 3, 21)
    assert type(day) is date


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_written_is_read_back(day):
    assert as_date(day.isoformat()) == as_date(f"{day.year}年{day.month}月{day.day}日") == day


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("2023-02-29", "no_such_day"),
        ("2023年13月1日", "no_such_day"),
        ("20230230", "no_such_day"),
        ("2023-03/21", "not_a_date"),
        ("23-3-21", "not_a_date"),
        ("21/03/2023", "not_a_date"),
        ("２０２３-03-21", "full_width"),
        ("2023-03-21 10:05:00", "time_of_day"),
        (datetime(2023, 3, 21, 10, 5), "time_of_day"),  # noqa: DTZ001
        (45006, "date_serial_number"),
        (Decimal(45006), "date_serial_number"),
        (Decimal("45006.5"), "not_a_date"),
        (True, "not_a_date"),
        ("", "empty_cell"),
        (None, "empty_cell"),
    ],
)
def test_what_is_no_day_is_refused(cell, code):
    assert bad(as_date, cell) == code


def test_the_29th_of_february_is_a_day_in_a_leap_year():
    assert as_date("2024-02-29") == date(2024, 2, 29)


def test_a_whole_number_is_read_and_anything_else_is_refused():
    assert [as_integer(cell) for cell in ("12", Decimal("12.0"), 12)] == [12, 12, 12]
    assert bad(as_integer, "1.5") == "not_an_integer"
    assert bad(as_integer, Decimal("1.5")) == "not_an_integer"
    assert bad(as_integer, True) == "not_an_integer"
    assert bad(as_integer, "１") == "full_width"
    assert bad(as_integer, "-1") == "negative_integer"
    assert bad(as_integer, None) == "empty_cell"


def test_an_optional_cell_may_be_empty_but_not_wrong():
    assert optional(as_fen)("") is None
    assert optional(as_fen)(None) is None
    assert optional(as_fen)("1") == 100
    assert bad(optional(as_fen), "x") == "not_an_amount"


def test_every_code_is_snake_case():
    package = Path(guard.__file__).parent
    source = "\n".join(path.read_text("utf-8") for path in package.glob("*.py"))
    codes = re.findall(r'(?:BadCell|UnreadableFile)\(\s*"([^"]+)"', source)

    assert codes
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
