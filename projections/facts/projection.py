"""The SQL that projects events into facts, made from the declaration: one statement a topic.

The stored content of an event is parsed once, whatever number of tables it adds to. Every INSERT
names its columns.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from domain.catalogue import EVENTS, kind_of
from projections.facts.declaration import ADDITIONS, EVERY, TABLES, Addition

CORRECTIONS = [topic for topic in EVENTS if topic.endswith(".corrected.v1")]
_RECORDED = (
    "(SELECT position AS of_position, position, recorded_at, 1::smallint AS sign,"
    " originator_id, organisation, ref, convert_from(state, 'UTF8')::json AS content"
    " FROM ledger.event WHERE position = ANY ('{positions}'))"
)
_RECORDED_AND_REVERSED = (
    "(SELECT of_position, position, recorded_at, sign, originator_id, organisation, ref, content"
    " FROM {recorded} t UNION ALL SELECT e.position, c.position, c.recorded_at, (-1)::smallint,"
    " e.originator_id, e.organisation, e.ref, convert_from(e.state, 'UTF8')::json"
    " FROM ledger.event c JOIN ledger.event e ON e.originator_id = c.originator_id"
    " AND e.originator_version = (convert_from(c.state, 'UTF8')::json ->> 'corrects')::bigint"
    " WHERE c.position = ANY ('{corrections}') AND e.topic = '{topic}')"
)
_EVENTS = """\
  SELECT t.of_position, t.position, t.recorded_at, content.effective_on, t.sign,
    t.originator_id, t.organisation, t.ref{taken}
  FROM {{events}} t, json_to_record(t.content) AS content ({types})
"""
_FROM_THE_LOG = ("organisation", "ref")
"""What `of` may name besides members of the event: columns of the log."""
_HEAD = (
    "(SELECT member ->> 'person' FROM json_array_elements({members}) member"
    " WHERE (member ->> 'head')::boolean)"
)


class _Members:
    """The members that a statement takes out of an object of JSON, with their types."""

    def __init__(self, row: str) -> None:
        """`row`: what the statement calls the object."""
        self._row = row
        self.types: dict[str, str] = {}
        self.taken: dict[str, str] = {}

    def member(self, name: str, sql_type: str) -> str:
        """Raises ValueError when two columns want one member as different types."""
        known = self.types.setdefault(name, sql_type)
        if known != sql_type:
            raise ValueError(f"member {name} as {sql_type} and as {known}")
        self.taken[name] = f'content."{name}"'
        return f'{self._row}."{name}"'

    def items(self, path: str) -> str:
        """The list at a path of members."""
        first, *inner = path.split(".")
        self.types.setdefault(first, "json")
        self.taken[path] = "".join([f'content."{first}"', *(f" -> '{name}'" for name in inner)])
        return f'{self._row}."{path}"'

    def definition(self) -> str:
        return ", ".join(f'"{name}" {sql_type}' for name, sql_type in self.types.items())


def _literal(constant: str | int | bool) -> str:
    if isinstance(constant, str):
        return "'" + constant.replace("'", "''") + "'"
    return str(constant).lower()


def _other(source: str, sql_type: str, event: _Members) -> str:
    """What `of` names: a member of the event, a column of the log, or the person at the head."""
    if source == "head_of":
        return _HEAD.format(members=event.items("members"))
    return f"event.{source}" if source in _FROM_THE_LOG else event.member(source, sql_type)


def _named(topic: str, addition: Addition, event: _Members, item: _Members) -> dict[str, str]:
    """The values of the columns that are not the member of their own name, by column."""
    types = {column.name: column.sql_type for column in TABLES[addition.table]}
    values = {f"{kind_of(topic)}_id": "event.originator_id"}
    if addition.item:
        values[addition.item] = f"(item.value #>> '{{}}')::{types[addition.item]}"
    for name, constant in addition.constants.items():
        values[name] = _literal(constant)
    for name, source in addition.of.items():
        values[name] = _other(source, types[name], event)
    for name, member in addition.plus.items():
        values[name] = f"event.sign * {event.member(member, types[name])}"
    for name, member in addition.minus.items():
        values[name] = f"event.sign * -{event.member(member, types[name])}"
    for name, member in addition.text.items():
        values[name] = f"{item.member(member, 'json')}::text"
    return values


def _insert(topic: str, addition: Addition, event: _Members) -> str:
    """The INSERT that adds the rows of one table."""
    item = _Members("item") if addition.each else event
    named = _named(topic, addition, event, item)
    values = {
        column.name: named.get(column.name) or item.member(column.name, column.sql_type)
        for column in TABLES[addition.table]
        if column.name in named or not addition.item  # an item that is no object has no members
    }
    source = "event"
    if addition.each:
        items = event.items(addition.each)
        source += (
            f", json_array_elements({items}) AS item (value)"
            if addition.item
            else f", json_to_recordset({items}) AS item ({item.definition()})"
        )
    if addition.unless_zero:
        source += f" WHERE {values[addition.unless_zero]} <> 0"
    first = [column.name for column in EVERY]
    return (
        f"INSERT INTO {addition.table} ({', '.join([*first, *values])})\n"
        f"  SELECT {', '.join([*(f'event.{name}' for name in first), *values.values()])}\n"
        f"  FROM {source}"
    )


def statement(topic: str) -> str:
    """The statement that adds the rows of a topic's events, for which `{events}` stands in it.

    These are every event once with sign 1, and once more with sign -1 and the position of its
    correction if it was corrected.
    """
    event = _Members("event")
    event.types["effective_on"] = "date"
    *others, last = [_insert(topic, addition, event) for addition in ADDITIONS[topic]]
    taken = "".join(f', {source} AS "{name}"' for name, source in event.taken.items())
    events = _EVENTS.format(taken=taken, types=event.definition())
    added = "".join(f", added_{n} AS (\n{insert}\n)" for n, insert in enumerate(others, 1))
    return f"WITH event AS (\n{events}){added}\n{last}"


STATEMENTS: dict[str, str] = {
    topic: statement(topic) for topic, added in ADDITIONS.items() if added
}
"""The statement of every topic that adds facts."""


def projecting(
    recorded: Mapping[str, Sequence[int]], corrections: Sequence[int], corrected: Container[str]
) -> Iterator[str]:
    """The SQL that projects a range of the log: `recorded` gives the positions of each topic in it.

    `corrections`: the positions of the corrections in it; `corrected`: the topics of what they
    correct. Events are found by position, so that the range is read once and not for each topic.
    """
    for topic, sql in STATEMENTS.items():
        positions = recorded.get(topic, ())
        if not positions and topic not in corrected:
            continue
        events = _RECORDED.format(positions=_array(positions))
        if topic in corrected:
            events = _RECORDED_AND_REVERSED.format(
                recorded=events, corrections=_array(corrections), topic=topic
            )
        yield sql.replace("{events}", events)


def _array(positions: Sequence[int]) -> str:
    return f"{{{','.join(map(str, positions))}}}"
