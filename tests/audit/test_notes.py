"""Receipts, checkpoints, policies, bundles: the right ones pass, what is altered does not."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audit.support import (
    AUDIT,
    FINANCE,
    NRCB,
    WITNESSES,
    Key,
    Log,
    b64,
    county,
    county_bundle,
    county_log,
    finding_bundle,
    policy,
    ruling_cited,
    ruling_recorded,
)  # fmt: skip

from interface.auditor import verify

REFUSED = (verify.Wrong, *verify.MALFORMED)
VERIFIER = Path(verify.__file__)


def refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except REFUSED:
        return True
    return False


def flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    for bit in range(len(data) * 8):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(other)


@pytest.fixture(params=["sha-256", "sm3"])
def log(request: Any) -> Log:
    return county_log(11, request.param)


# ---- receipts ----------- ---------------------------------------------------------------------


def test_a_receipt_for_every_row_at_every_size_is_valid(log: Log) -> None:
    trust = verify.policy_of(policy(log.key))
    for size in range(1, 12):
        for position in range(1, size + 1):
            said = verify.check_receipt(log.receipt(position, size), trust)
            assert f"position {position}\n" in said


@pytest.mark.parametrize(("position", "size"), [(1, 1), (3, 11)])
def test_every_flipped_bit_of_a_receipt_is_refused(position: int, size: int) -> None:
    log = county_log(11)
    trust = verify.policy_of(policy(log.key))
    receipt = log.receipt(position, size)
    verify.check_receipt(receipt, trust)
    for bit, wrong in flipped(receipt):
        if size == 1 or bit // 8 % 8 == bit % 8:  # of the long one, one bit of each byte
            assert refused(lambda wrong=wrong: verify.check_receipt(wrong, trust)), bit


def test_every_flipped_bit_of_a_checkpoint_is_refused(log: Log) -> None:
    trust = verify.policy_of(policy(log.key))
    for bit, wrong in flipped(log.checkpoint()):
        assert refused(lambda wrong=wrong: verify.open_checkpoint(wrong, trust)), bit


def test_a_flipped_bit_is_never_accepted_for_another_tree_whoever_is_trusted() -> None:
    """Without a quorum a cosignature may be spoiled into an unknown one: nothing proven changes."""
    log = county_log(11)
    trust = verify.policy_of(policy(log.key, quorum="none"))
    right = verify.open_checkpoint(log.checkpoint(), trust)
    line_of_log = log.checkpoint(witnesses=())
    for bit, wrong in flipped(log.checkpoint()):
        if bit < len(line_of_log) * 8:
            assert refused(lambda wrong=wrong: verify.open_checkpoint(wrong, trust)), bit
        elif not refused(lambda wrong=wrong: verify.open_checkpoint(wrong, trust)):
            assert verify.open_checkpoint(wrong, trust)[:3] == right[:3]


def test_a_cut_or_lengthened_receipt_is_refused() -> None:
    log = county_log(5)
    trust = verify.policy_of(policy(log.key))
    receipt = log.receipt(2)
    wrong = [receipt[:length] for length in range(len(receipt))]
    wrong += [receipt + more for more in (b"\n", b" ", b"\0", receipt, b"x\n")]
    wrong += [b"\xef\xbb\xbf" + receipt, receipt.replace(b"\n", b"\r\n"), b" " + receipt]
    for data in wrong:
        assert refused(lambda data=data: verify.check_receipt(data, trust))


def bad_receipts(log: Log) -> list[bytes]:
    """Receipts put together from others, or with a line more, less or in another place."""
    a, b = log.receipt(2).split(b"\n"), log.receipt(3).split(b"\n")
    older = log.receipt(2, 7)
    head, _ = log.receipt(2).split(b"\n\n", 1)
    wrong = [
        [*a[:1], b[1], *a[2:]],
        [*a[:2], b[2], *a[3:]],
        [*a[:2], a[2].replace(b"index 1", b"index 01"), *a[3:]],
        [*a[:2], *a[3:]],
        [a[0], *a[2:]],
        [*a[:3], a[4], a[3], *a[5:]],
        [*a[:3], *a[4:]],
        [*a[:3], a[3], *a[3:]],
        [head, b"", *older.split(b"\n\n", 1)[1].split(b"\n")],
    ]
    return [b"\n".join(lines) for lines in wrong]


def test_a_receipt_put_together_from_others_is_refused(log: Log) -> None:
    trust = verify.policy_of(policy(log.key))
    other_hash = county_log(11, "sm3" if log.hash_name == "sha-256" else "sha-256")
    both = policy(log.key, ()).replace(b"quorum", f"log {other_hash.key.vkey}\nquorum".encode())
    head, note = log.receipt(2).split(b"\n\n", 1)
    for data in bad_receipts(log):
        assert refused(lambda data=data: verify.check_receipt(data, trust))
    strange = head + b"\n\n" + other_hash.checkpoint()
    assert refused(lambda: verify.check_receipt(strange, verify.policy_of(both)))
    verify.check_receipt(head + b"\n\n" + note, trust)


def test_the_hash_byte_and_the_format_byte_of_the_leaf_are_checked() -> None:
    log = county_log(3)
    trust = verify.policy_of(policy(log.key))
    for start in (b"\1\2", b"\2\1", b"\0\1", b"\1\0"):
        forged = Log(log.rows)
        forged._leaves[1] = start + log.rows[1]
        assert refused(lambda forged=forged: verify.check_receipt(forged.receipt(2), trust)), start


# ---- checkpoints and policies -----------------------------------------------------------------


def test_who_signed_and_who_must(log: Log) -> None:
    stranger = Key("somebody.example/witness", 4)
    note = {n: log.checkpoint(witnesses=WITNESSES[:n]) for n in range(4)}

    def accepted(note: bytes, *trust: Any, quorum: bool = True) -> bool:
        trusted = verify.policy_of(policy(log.key, *trust))
        return not refused(lambda: verify.open_checkpoint(note, trusted, quorum=quorum))

    for quorum, needed in (("none", 0), ("any", 1), ("2", 2), ("all", 3)):
        for n in range(4):
            assert accepted(note[n], WITNESSES, quorum) == (n >= needed), (quorum, n)
    assert accepted(note[0], WITNESSES, "all", quorum=False)
    assert not accepted(log.checkpoint(witnesses=(stranger,)), WITNESSES, "any")
    assert not accepted(log.checkpoint(witnesses=(NRCB, NRCB, NRCB)), WITNESSES, "2")
    assert accepted(log.checkpoint(witnesses=(stranger, NRCB)), WITNESSES, "any")
    unsigned = log.checkpoint().split(b"\n")
    assert refused(
        lambda: verify.open_checkpoint(
            b"\n".join([*unsigned[:4], *unsigned[5:]]), verify.policy_of(policy(log.key))
        )
    )
    elsewhere = Key("other.test/ledger/sha-256")
    assert refused(lambda: verify.open_checkpoint(note[3], verify.policy_of(policy(elsewhere))))


def test_a_log_may_not_sign_for_another_and_a_witness_not_for_the_log() -> None:
    log, other = county_log(4), Key("other.test/ledger/sha-256")
    text = log.text()
    lines = policy(log.key, ()).replace(b"quorum", f"log {other.vkey}\nquorum".encode())
    trust = verify.policy_of(lines)
    assert refused(lambda: verify.open_checkpoint(f"{text}\n{other.line(text)}".encode(), trust))
    verify.open_checkpoint(f"{text}\n{other.line(text)}{log.key.line(text)}".encode(), trust)
    known = verify.policy_of(policy(log.key, quorum="none"))
    assert refused(lambda: verify.open_checkpoint(f"{text}\n{NRCB.line(text)}".encode(), known))


def test_one_wrong_signature_by_a_known_key_spoils_the_note() -> None:
    log = county_log(4)
    note, other = log.checkpoint(), log.checkpoint(3)
    trust = verify.policy_of(policy(log.key, quorum="any"))
    verify.open_checkpoint(note, trust)
    for n in range(4, 8):
        lines = note.split(b"\n")
        lines[n] = other.split(b"\n")[n]
        assert refused(lambda lines=lines: verify.open_checkpoint(b"\n".join(lines), trust))


def signed(log: Log, text: str) -> bytes:
    return f"{text}\n{log.key.line(text)}".encode()


def bad_texts(log: Log) -> list[str]:
    """Texts of no checkpoint, though the log's own key may sign them."""
    origin, _, root = log.text().split("\n")[:3]
    return [
        f"{origin}\n0\n{root}\n",
        f"{origin}\n04\n{root}\n",
        f"{origin}\n+4\n{root}\n",
        f"{origin}\n-4\n{root}\n",
        f"{origin}\n 4\n{root}\n",
        f"{origin}\n٤\n{root}\n",
        f"{origin}\n4.0\n{root}\n",
        f"{origin}\n{'9' * 20}\n{root}\n",
        f"{origin}\n{'9' * 5000}\n{root}\n",
        f"{origin}\n\n{root}\n",
        f"{origin}\n4\n{root[:-4]}\n",
        f"{origin}\n4\n{root[:-2]}{'f' if root[-2] != 'f' else 'g'}=\n",
        f"{origin}\n4\n{root}A\n",
        f"{origin}\n4\n{b64(bytes(31))}\n",
        f"{origin}\n4\n{root}\nextension\n",
        f"{origin}\n4\n",
        f"\n{origin}\n4\n{root}\n",
        f"{origin}\n4\n{root}\n\n",
        f"{origin} \n4\n{root}\n",
        f"other\n4\n{root}\n",
    ]


def test_a_checkpoint_that_its_log_did_sign_must_still_be_well_formed() -> None:
    log = county_log(4)
    trust = verify.policy_of(policy(log.key, quorum="none"))
    origin = log.key.name
    verify.open_checkpoint(signed(log, log.text()), trust)
    empty = b64(log.h(b""))
    verify.open_checkpoint(signed(log, f"{origin}\n0\n{empty}\n"), trust)
    for text in bad_texts(log):
        assert refused(lambda text=text: verify.open_checkpoint(signed(log, text), trust)), text


A, B, C = (key.vkey for key in WITNESSES)
LOG = county_log(1).key.vkey
_NAME, _ID, _KEY = LOG.split("+", 2)


GOOD_POLICIES = [
    f"log {LOG}\nquorum none",
    f"# 信任\n\n \t# indented\nlog\t{LOG} \n\t quorum   none\t",
    f"quorum none\nlog {LOG}\n#remark",
    f"log {LOG}\nwitness a {A}\nquorum a",
    f"witness a {A}\nwitness b {B}\nwitness c {C}\ngroup ab 1 a b\ngroup all all ab c\nquorum all",
    f"witness 见证 {A}\ngroup g any 见证\nquorum g",
]


@pytest.mark.parametrize("lines", GOOD_POLICIES)
def test_good_policies(lines: str) -> None:
    assert verify.policy_of(f"{lines}\n".encode()).quorum


BAD_POLICIES = [
    f"log {LOG}",
    "",
    f"log {LOG}\nquorum none\nquorum none",
    f"log {LOG}\nlog {LOG}\nquorum none",
    f"log {LOG}\nquorum a\nwitness a {A}",
    f"witness a {A}\nwitness a {B}\nquorum none",
    f"witness a {A}\nwitness b {A}\nquorum none",
    f"witness none {A}\nquorum none",
    f"witness a {A}\ngroup a any a\nquorum a",
    f"witness a {A}\ngroup none any a\nquorum none",
    f"witness a {A}\ngroup g any none\nquorum g",
    f"witness a {A}\ngroup g any g\nquorum g",
    f"witness a {A}\ngroup g any b\nquorum g",
    f"witness a {A}\ngroup g 0 a\nquorum g",
    f"witness a {A}\ngroup g 2 a\nquorum g",
    f"witness a {A}\ngroup g 01 a\nquorum g",
    f"witness a {A}\ngroup g one a\nquorum g",
    f"witness a {A}\ngroup g any a a\nquorum g",
    f"witness a {A}\ngroup g any\nquorum g",
    f"witness a {A}\ngroup g any a\ngroup h any a\nquorum g",
    f"witness a {A}\ngroup g any a\ngroup g any a\nquorum g",
    f"witness a {LOG}\nquorum a",
    f"log {A}\nquorum none",
    f"log {_NAME}+{_ID}\nquorum none",
    f"log {_NAME}+{_ID.upper()}+{_KEY}\nquorum none",
    f"log {_NAME}+00000000+{_KEY}\nquorum none",
    f"log x{_NAME}+{_ID}+{_KEY}\nquorum none",
    f"log {_NAME}+{_ID}+{_KEY[:-4]}\nquorum none",
    f"log {_NAME}+{_ID}+{b64(bytes(33))}\nquorum none",
    f"log {LOG} https://log.example/\x7f\x00\nquorum none",
    f"log {LOG}\nquorum none\r",
    f"log {LOG}\nquorum none extra",
    f"logs {LOG}\nquorum none",
    f"log {LOG} x\nquorum none",
    "witness a\nquorum none",
    f"remark# x\nlog {LOG}\nquorum none",
]


@pytest.mark.parametrize("lines", BAD_POLICIES)
def test_bad_policies(lines: str) -> None:
    assert refused(lambda: verify.policy_of(f"{lines}\n".encode()))


def test_a_key_in_two_guises_is_one_key() -> None:
    """The same public key under two names counts twice nowhere."""
    again = Key("again.example/witness", 4)
    object.__setattr__(again, "private", NRCB.private)
    lines = f"witness a {NRCB.vkey}\nwitness b {again.vkey}\ngroup g all a b\nquorum g\n"
    assert refused(lambda: verify.policy_of(lines.encode()))


def test_groups_within_groups() -> None:
    log = county_log(3)
    names = "".join(f"witness {n} {k.vkey}\n" for n, k in zip("abc", WITNESSES, strict=True))
    nested = (
        f"log {log.key.vkey}\n{names}group banks any a b\ngroup both all banks c\nquorum both\n"
    )
    trust = verify.policy_of(nested.encode())
    for witnesses, enough in (
        ((NRCB, AUDIT), True), ((FINANCE, AUDIT), True), (WITNESSES, True),
        ((NRCB, FINANCE), False), ((AUDIT,), False), ((), False),
    ):  # fmt: skip
        note = log.checkpoint(witnesses=witnesses)
        assert refused(lambda note=note: verify.open_checkpoint(note, trust)) != enough


# ---- bundles ------------ ---------------------------------------------------------------------


def paths(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every plain value inside."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], *path, key)
    else:
        yield path


PROVEN = {
    "event_id", "position", "event", "effective_on", "recorded_at", "organisation", "role",
    "person", "ref", "document", "note",
}  # fmt: skip


def test_whatever_a_bundle_shows_of_an_event_must_be_what_was_recorded(log: Log) -> None:
    trust = verify.policy_of(policy(log.key))
    bundle = county_bundle(log, county(11))
    verify.check_bundle(json.dumps(bundle).encode(), trust)
    tried = 0
    for path in paths(bundle):
        inside = "content" in path or (path[-1] in PROVEN and path[:2] != ("trace", "ground"))
        inside |= path[0] in ("format", "payment_no", "events", "checkpoint")
        inside |= path[:2] in (("trace", "calculation"), ("trace", "rules_in_force"))
        if not inside:
            continue
        for other in (1, True, None, "x", [], {}, 46_640):
            wrong = copy.deepcopy(bundle)
            place = wrong
            for step in path[:-1]:
                place = place[step]
            if json.dumps(place[path[-1]]) == json.dumps(other):
                continue
            place[path[-1]] = other
            assert refused(
                lambda wrong=wrong: verify.check_bundle(
                    json.dumps(log.signed(wrong)).encode(), trust
                )
            ), (path, other)
            tried += 1
    assert tried > 300


@pytest.mark.parametrize("make", [county_bundle, finding_bundle])
def test_no_value_of_a_bundle_can_be_changed_added_or_left_out(log: Log, make: Any) -> None:
    """Its header, its rules' text, its titles: whatever stands in it is under the signature."""
    trust = verify.policy_of(policy(log.key))
    bundle = make(log, county(11))
    for path in [*paths(bundle), *members(bundle)]:
        for change in (None, 0, "x", "removed"):
            wrong = copy.deepcopy(bundle)
            place = wrong
            for step in path[:-1]:
                place = place[step]
            if change == "removed":
                del place[path[-1]]
            elif place[path[-1]] == change and type(place[path[-1]]) is type(change):
                continue
            else:
                place[path[-1]] = change
            assert refused(
                lambda wrong=wrong: verify.check_bundle(json.dumps(wrong).encode(), trust)
            ), (path, change)
    assert refused(lambda: verify.check_bundle(json.dumps(bundle | {"x": 1}).encode(), trust))
    spread = json.dumps(bundle, indent=3, ensure_ascii=False).encode()
    verify.check_bundle(spread, trust)  # how it is written out does not matter


def members(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every object and list inside."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            if isinstance(value[key], dict | list):
                yield *path, key
                yield from members(value[key], *path, key)


def test_a_bundle_lacking_an_event_or_lying_about_the_fen_is_refused() -> None:
    trust_of = lambda log: verify.policy_of(policy(log.key))  # noqa: E731
    log = county_log(11)
    bundle = county_bundle(log, county(11))
    for missing in range(4):
        wrong = copy.deepcopy(bundle)
        del wrong["events"][missing]
        wrong = log.signed(wrong)
        assert refused(lambda w=wrong: verify.check_bundle(json.dumps(w).encode(), trust_of(log)))
    events = county(11)
    for name, other in (("amount_fen", 46_640), ("amount_fen", 46_638)):
        state = copy.deepcopy(events[2].state)
        state["calculation"][name] = other
        forged = [*events[:2], type(events[2])(**{**vars(events[2]), "state": state}), *events[3:]]
        from audit.support import rows_of

        liar = Log(rows_of(forged))  # signs what does not add up
        wrong = county_bundle(liar, forged)
        wrong["trace"]["calculation"][name] = other
        wrong = liar.signed(wrong)
        assert refused(
            lambda w=wrong, liar=liar: verify.check_bundle(json.dumps(w).encode(), trust_of(liar))
        )
    twice = json.dumps(bundle).replace('"ref": "PAY-1"', '"ref": "PAY-9", "ref": "PAY-1"', 1)
    assert refused(lambda: verify.check_bundle(twice.encode(), trust_of(log)))


def bad_claims(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a finding says of its rule, its rulings and its dates, with one thing wrong."""
    for change in (
        {"rule_version": "0" * 12}, {"rule": "RF03"}, {"rule": ""},
        {"known_from": "2026-01-01T00:00:02Z"}, {"known_from": "2026-01-01T00:00:03.000001Z"},
        {"known_from": "2025-12-31T16:00:00Z"}, {"known_from": "2026-01-02T00:00:00Z"},
        {"known_from": None}, {"rulings": [ruling_cited(365)]}, {"rests_on": [ruling_cited(365)]},
        {"rulings": [ruling_cited() | {"effective_from": "2014-12-02"}]},
        {"rulings": [ruling_cited() | {"known_from": "2014-12-02"}]},
        {"rulings": [ruling_cited() | {"name": "day"}]}, {"rulings": None}, {"rests_on": None},
        {"rulings": [ruling_cited() | {"position": 1}]}, {"rulings": [ruling_recorded(2)]},
        {"rulings": [ruling_recorded() | {"value": 1}]},
        {"rests_on": [ruling_recorded() | {"known_from": "2020-01-01"}]},
        {"rests_on": [ruling_recorded() | {"effective_from": "2020-01-02"}]},
        {"rests_on": [ruling_recorded() | {"name": "days"}]},
        {"rulings": [ruling_cited() | {"position": 99}]},
        {"positions": [], "known_from": "2026-01-01T16:00:00Z"},
        {"positions": [], "known_from": "2026-01-01T16:00:01Z", "rests_on": [ruling_cited()]},
    ):  # fmt: skip
        yield bundle | {"finding": bundle["finding"] | change}


def good_claims(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A finding that an omission made, one that its documents alone prove, and one of both."""
    for change in (
        {"known_from": "2026-01-01T16:00:00Z"}, {"rulings": [ruling_recorded()]},
        {"positions": [], "known_from": "2023-08-03T16:00:00Z", "rests_on": [ruling_cited()]},
        {"rests_on": [ruling_cited()]}, {"rulings": []}, {"positions": [3, 2], "context": []},
    ):  # fmt: skip
        yield bundle | {"finding": bundle["finding"] | change}


def bad_findings(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The bundle about a finding, with one thing wrong."""
    for wrong in bad_claims(bundle):
        yield wrong
    for name in ("positions", "context"):
        for other in (
            [4], [3, 4], [0], [-1], [True], [2.0], ["2"], [None], [[2]], 2, "", "2", None, {"2": 3},
        ):  # fmt: skip
            wrong = copy.deepcopy(bundle)
            wrong["finding"][name] = other
            yield wrong
        wrong = copy.deepcopy(bundle)
        del wrong["finding"][name]
        yield wrong
    for other in ([], {}, None, [2, 3], "x"):
        yield bundle | {"finding": other}
    wrong = copy.deepcopy(bundle)
    wrong["finding"]["positions"] = []
    yield wrong
    for missing in range(3):
        wrong = copy.deepcopy(bundle)
        del wrong["events"][missing]
        yield wrong
    for event in range(2):
        for name in ("ref", "effective_on", "position", "event", "recorded_at"):
            wrong = copy.deepcopy(bundle)
            wrong["finding"]["shown"][event][name] = "2023-03-11"
            yield wrong
        wrong = copy.deepcopy(bundle)
        wrong["finding"]["shown"][event]["content"]["bank"] = "PSBC"
        yield wrong


def test_a_finding_rests_on_proven_events_that_say_what_it_shows(log: Log) -> None:
    trust = verify.policy_of(policy(log.key))
    bundle = finding_bundle(log, county(11))

    said = verify.check_bundle(json.dumps(bundle).encode(), trust)

    assert "3 of 3" in said and "[2, 3]" in said
    alone = copy.deepcopy(bundle)
    alone["finding"]["context"] = []
    verify.check_bundle(json.dumps(log.signed(alone)).encode(), trust)
    for right in good_claims(bundle):
        verify.check_bundle(json.dumps(log.signed(right)).encode(), trust)
    for wrong in bad_findings(bundle):
        assert refused(
            lambda wrong=wrong: verify.check_bundle(json.dumps(log.signed(wrong)).encode(), trust)
        ), wrong["finding"]
    unsigned = finding_bundle(county_log(3), county(3)) | {"checkpoint": log.checkpoint().decode()}
    unsigned = log.signed(unsigned)
    assert refused(lambda: verify.check_bundle(json.dumps(unsigned).encode(), trust))


# ---- whatever comes in: a reason, never a traceback -------------------------------------------

RUBBISH = [
    b"", b"\n", b"\0" * 100, b"\xff\xfe" * 50, b"{}", b"[]", b"null", b"1" * 5000, b"[" * 100_000,
    b'{"format": "mingzhang-evidence/2"}', b'{"format": 1e999}', b'{"format": NaN}',
    b'{"format": "mingzhang-evidence/2", "checkpoint": 1, "trace": 2, "events": 3}',
    b'{"format": "mingzhang-evidence/2", "checkpoint": "\\ud800", "trace": {}, "events": []}',
    b"c2sp.org/tlog-proof@v1\n\n", b"c2sp.org/tlog-proof@v1\nextra AAEA\nindex 0\n\nx\n1\n\n\n",
    b"PGCOPY\n\xff\r\n\0" + bytes(8), b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\x7f" * 200,
    b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\x0b" + b"\xff" * 200, "— x y\n".encode() * 3,
]  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_ends_in_one_line_and_code_one(tmp_path: Path, capsys: Any, rubbish: bytes) -> None:
    log = county_log(3)
    bad, trust, note = tmp_path / "bad", tmp_path / "policy", tmp_path / "note"
    bad.write_bytes(rubbish)
    trust.write_bytes(policy(log.key))
    note.write_bytes(log.checkpoint())
    good = ["--policy", str(trust)]
    for words in (
        ["receipt", str(bad), *good],
        ["bundle", str(bad), *good],
        ["checkpoint", str(bad), *good],
        ["log", str(bad), "--checkpoint", str(note), *good],
        ["log", str(bad), "--checkpoint", str(bad), *good],
        ["log", str(note), "--checkpoint", str(note), "--earlier", str(bad), *good],
        ["checkpoint", str(note), "--policy", str(bad)],
    ):
        assert verify.main(words) == 1
        out, err = capsys.readouterr()
        assert out.startswith("错误 WRONG: ") and out.count("\n") == 1 and not err


def test_wrong_use_is_code_two(tmp_path: Path, capsys: Any) -> None:
    there = tmp_path / "there"
    there.write_bytes(policy(county_log(1).key))
    for words in (
        [], ["receipt"], ["receipt", str(there)], ["log", str(there), "--policy", str(there)],
        ["receipt", str(tmp_path / "gone"), "--policy", str(there)], ["bless", str(there)],
        ["receipt", str(there), "--policy", str(tmp_path)],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as exit_:
            verify.main(words)
        assert exit_.value.code == 2
    capsys.readouterr()


# ---- the file itself ---- ---------------------------------------------------------------------


def test_the_verifier_is_short_and_needs_nothing_of_the_service() -> None:
    lines = VERIFIER.read_text("utf-8").splitlines()
    assert len(lines) < 300
    assert max(map(len, lines)) <= 100
    for name in ("verify.py", "promise.py", "facts.py", "witness.py"):
        for node in ast.walk(ast.parse((VERIFIER.parent / name).read_text("utf-8"))):
            module = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
            names = [module] if module else [a.name for a in getattr(node, "names", [])]
            for imported in names if isinstance(node, ast.Import | ast.ImportFrom) else []:
                top = imported.partition(".")[0]
                ours = imported.startswith("interface.auditor") or top == "verify"
                assert ours or top in sys.stdlib_module_names | {"cryptography"}, (name, imported)
    assert "interface" not in VERIFIER.read_text("utf-8")


def test_it_runs_as_a_script_far_from_the_repository(tmp_path: Path) -> None:
    log = county_log(3)
    (tmp_path / "verify.py").write_bytes(VERIFIER.read_bytes())
    (tmp_path / "receipt").write_bytes(log.receipt(2))
    (tmp_path / "policy").write_bytes(policy(log.key))
    words = [sys.executable, "-I", "verify.py", "receipt", "receipt", "--policy", "policy"]

    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "position 2" in done.stdout.decode()
