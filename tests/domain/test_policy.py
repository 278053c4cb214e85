"""Policy: each number has two days and a source, and the published quotes are all there."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from domain import policy
from domain.policy import POLICY, Book, NoRuling, parse, ruling
from domain.programme import ruling_of

DATA = Path(__file__).parent / "data"
SCALE_BP = 100

STORY = """
unit = "days"
meaning = "A rule told before the plan, changed in summer, and adjusted backwards in August"

[[ruling]]
from = 2023-06-01
known_from = 2023-05-20
value = 2
source = "[D] the change of summer"

[[ruling]]
from = 2023-01-01
known_from = 2022-12-15
value = 1
source = "[D] the plan"

[[ruling]]
from = 2023-01-01
known_from = 2023-08-04
value = 3
source = "[D] the plan, adjusted"
"""


def quotes(column):
    with (DATA / "lpr.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            whole, parts = row[column].split(".")
            yield date.fromisoformat(row["publish_date"]), int(whole) * SCALE_BP + int(parts)


@pytest.mark.parametrize(
    ("name", "column"), [("lpr_one_year", "lpr_1y_pct"), ("lpr_five_year", "lpr_5y_plus_pct")]
)
def test_every_published_quote_is_a_ruling_known_on_its_day(name, column):
    told = [(row.effective_from, row.number) for row in POLICY.table(name).rulings]

    assert told == list(quotes(column))
    for row in POLICY.table(name).rulings:
        assert row.known_from == row.effective_from
        assert row.source == f"[N] 全国银行间同业拆借中心 {row.effective_from}"


def test_a_quote_holds_until_the_day_before_the_next():
    assert ruling("lpr_one_year", date(2023, 6, 19)).number == 365
    assert ruling("lpr_one_year", date(2023, 6, 20)).number == 355


def test_there_is_no_quote_before_the_first():
    assert ruling("lpr_one_year", date(2019, 8, 20)).number == 425
    with pytest.raises(NoRuling) as refusal:
        ruling("lpr_one_year", date(2019, 8, 19))

    assert refusal.value.details["name"] == "lpr_one_year"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("credit_cap_fen", 5_000_000),
        ("longest_term_months", 36),
        ("one_year_term_months", 12),
        ("rate_basis", ("lpr_cap",)),
        ("subsidy_share", 10_000),
        ("day_count", 360),
        ("settlement_months", (3, 6, 9, 12)),
        ("settlement_day", 20),
        ("usage_check_months", 3),
        ("first_reminder_days", 60),
        ("written_reminder_days", 30),
        (
            "eligible_categories",
            ("out_of_poverty", "monitored_unstable", "monitored_marginal", "monitored_hardship"),
        ),
    ],
)
def test_the_plan_of_2023_says(name, value):
    assert ruling(name, date(2023, 1, 1)).value == value


@pytest.mark.parametrize("name", policy.table_names())
def test_every_ruling_says_who_decided_it_and_of_what_kind_the_source_is(name):
    table = POLICY.table(name)

    assert table.unit
    assert table.meaning
    for row in table.rulings:
        assert row.source.startswith(("[P] ", "[N] ", "[D] "))
        assert row.known_from >= row.effective_from


def test_the_adjusted_plan_is_not_known_before_it_was_published():
    before = ruling("credit_cap_fen", date(2023, 3, 10), date(2023, 8, 3))
    after = ruling("credit_cap_fen", date(2023, 3, 10), date(2023, 8, 4))

    assert before.source.startswith("[N]")
    assert after.source.startswith("[P]")
    assert before.version != after.version


@pytest.mark.parametrize(
    ("day", "known_on", "value"),
    [
        (date(2023, 3, 1), date(2022, 12, 15), 1),
        (date(2023, 3, 1), date(2023, 8, 3), 1),
        (date(2023, 3, 1), date(2023, 8, 4), 3),
        (date(2023, 3, 1), None, 3),
        (date(2023, 7, 1), date(2023, 5, 19), 1),
        (date(2023, 7, 1), date(2023, 5, 20), 2),
        (date(2023, 7, 1), date(2023, 8, 4), 2),
        (date(2023, 7, 1), None, 2),
    ],
)
def test_of_the_rulings_known_the_latest_effective_one_holds(day, known_on, value):
    """A ruling with an earlier effective day does not undo a later one, however late it is told."""
    book = POLICY.amended({"story": STORY})

    assert book.ruling("story", day, known_on).number == value


def test_nothing_holds_before_its_document_is_known():
    book = POLICY.amended({"story": STORY})

    with pytest.raises(NoRuling):
        book.ruling("story", date(2023, 3, 1), date(2022, 12, 14))


def test_the_rulings_within_a_stretch_are_that_of_its_first_day_and_each_that_takes_over():
    book = POLICY.amended({"story": STORY})

    def values(first, until, known_on=None):
        return [row.number for row in book.within("story", first, until, known_on)]

    assert values(date(2023, 3, 1), date(2023, 6, 1)) == [3]
    assert values(date(2023, 3, 1), date(2023, 6, 2)) == [3, 2]
    assert values(date(2023, 6, 1), date(2023, 9, 1)) == [2]
    assert values(date(2023, 3, 1), date(2023, 9, 1), date(2023, 5, 19)) == [1]
    assert values(date(2023, 3, 1), date(2023, 9, 1), date(2023, 5, 20)) == [1, 2]


def test_an_amended_book_leaves_the_other_alone():
    book = POLICY.amended({"day_count": STORY})

    assert book.ruling("day_count", date(2023, 3, 1)).number == 3
    assert ruling("day_count", date(2023, 3, 1)).number == 360
    assert book.ruling("settlement_day", date(2023, 3, 1)).number == 20


def test_a_table_is_read_once_and_only_when_asked_for():
    asked = []

    def read(name):
        asked.append(name)
        return STORY

    book = Book(read)
    assert asked == []

    book.ruling("story", date(2023, 3, 1))
    book.ruling("story", date(2023, 4, 1))

    assert asked == ["story"]


def test_a_ruling_is_not_looked_for_anew_on_each_day_on_which_it_is_asked_for():
    looked = []

    class Watched(Book):
        def _find(self, name, day, known_on):
            looked.append(known_on)
            return super()._find(name, day, known_on)

    book = Watched({"story": STORY}.__getitem__)
    mornings = [date(2023, 5, 20) + timedelta(days=days) for days in range(100)]

    values = [book.ruling("story", date(2023, 3, 1), morning).number for morning in mornings]

    assert values == [1] * 76 + [3] * 24
    assert looked == [date(2023, 5, 20), date(2023, 8, 4)]


def test_the_absence_of_a_ruling_names_the_day_that_was_asked_for():
    book = POLICY.amended({"story": STORY})

    with pytest.raises(NoRuling) as absence:
        book.within("story", date(2023, 3, 1), date(2023, 4, 1), date(2022, 12, 1))

    assert absence.value.details["known_on"] == date(2022, 12, 1)


def test_a_table_that_does_not_exist_is_no_ruling_of_zero():
    with pytest.raises(LookupError, match="no policy table is called 'lpr_two_year'"):
        ruling("lpr_two_year", date(2023, 1, 1))


def test_a_value_is_not_read_as_another_kind():
    with pytest.raises(TypeError):
        _ = ruling("settlement_months", date(2023, 1, 1)).number
    with pytest.raises(TypeError):
        _ = ruling("day_count", date(2023, 1, 1)).numbers
    with pytest.raises(TypeError):
        _ = ruling("settlement_months", date(2023, 1, 1)).words
    with pytest.raises(TypeError):
        _ = ruling("eligible_categories", date(2023, 1, 1)).numbers
    assert ruling("settlement_months", date(2023, 1, 1)).numbers == (3, 6, 9, 12)
    assert "monitored_marginal" in ruling("eligible_categories", date(2023, 1, 1)).words


def test_a_citation_is_plain():
    assert ruling("settlement_months", date(2023, 1, 1)).to_dict() == {
        "name": "settlement_months",
        "effective_from": "2014-12-01",
        "known_from": "2014-12-01",
        "value": [3, 6, 9, 12],
        "unit": "months of the year",
        "source": "[N] 按季结息，每季末月, as domain.md §5.2 gives it; first day [D]",
        "version": "settlement_months@2014-12-01/2014-12-01",
    }


@pytest.mark.parametrize(
    "flaw",
    [
        ("value = 1\n", "value = 1.5\n"),
        ("value = 1\n", "value = true\n"),
        ("value = 1\n", "value = []\n"),
        ("value = 1\n", 'value = [1, "2"]\n'),
        ("value = 1\n", 'value = "1"\n'),
        ("value = 1\n", ""),
        ("value = 1\n", "value = 1\nnote = 2\n"),
        ('source = "[D] the plan"', 'source = " "'),
        ("from = 2023-06-01", "from = 2023-06-01T00:00:00"),
        ("from = 2023-06-01", 'from = "2023-06-01"'),
        ("known_from = 2022-12-15", "known_from = 2023-08-04"),
        ('unit = "days"', ""),
    ],
)
def test_a_malformed_table_is_refused_whole(flaw):
    assert flaw[0] in STORY

    with pytest.raises(ValueError, match=r"^story: "):
        parse("story", STORY.replace(*flaw))


def _county(day: str, value: int, told_on: str = "2026-01-01"):
    return ruling_of(
        "lpr_one_year", value, date.fromisoformat(day), date.fromisoformat(told_on), "某文", 1
    )


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2022, 1, 9), 380),  # before the county ruled: the package's quote
        (date(2022, 1, 10), 300),
        (date(2022, 1, 20), 300),  # the next quote of the package says 370
        (date(2023, 6, 30), 300),
        (date(2023, 7, 1), 310),  # until the county rules again
        (date(2026, 9, 1), 310),
    ],
)
def test_what_a_county_ruled_is_not_overruled_by_the_package(day, value):
    book = POLICY.extended([_county("2022-01-10", 300), _county("2023-07-01", 310)])

    assert book.ruling("lpr_one_year", day).number == value


def test_what_a_county_ruled_for_days_before_the_package_ends_where_the_package_begins():
    book = POLICY.extended([_county("2015-10-24", 435)])

    assert book.ruling("lpr_one_year", date(2019, 8, 19)).number == 435
    assert book.ruling("lpr_one_year", date(2019, 8, 20)).number == 425
    assert book.ruling("lpr_one_year", date(2023, 3, 10)).number == 365


def test_a_ruling_of_the_county_counts_from_the_day_on_which_it_became_known():
    book = POLICY.extended([_county("2022-01-10", 300)])

    assert book.ruling("lpr_one_year", date(2023, 3, 10), date(2025, 12, 31)).number == 365
    assert book.ruling("lpr_one_year", date(2023, 3, 10), date(2026, 1, 1)).number == 300


def test_a_book_that_is_extended_twice_keeps_what_was_ruled_first():
    first = POLICY.extended([_county("2022-01-10", 300)])
    cap = ruling_of("credit_cap_fen", 1, date(2022, 1, 1), date(2022, 1, 1), "某文", 1)

    assert first.extended([cap]).ruling("lpr_one_year", date(2023, 3, 10)).number == 300
