"""The witness: cosigns what continues, refuses what does not, and finds a log with two faces."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from audit.support import Event, Key, Log, county, county_log, policy, rows_of

from interface.auditor import verify, witness
from interface.auditor.witness import Witness, new_key

SIZE = 65


def forked(at: int, size: int = SIZE) -> Log:
    """The county's log with another event at position `at`: same key, another story."""
    events = county(size)
    other = events[at - 1]
    events[at - 1] = Event(other.aggregate, other.topic, other.organisation, "X", other.state)
    return Log(rows_of(events))


@pytest.fixture
def log() -> Log:
    return county_log(SIZE)


@pytest.fixture
def nrcb(tmp_path: Path) -> Witness:
    return new_key("nrcb.example/witness", tmp_path / "nrcb")


def test_a_new_key_is_the_owners_alone_and_is_never_written_over(nrcb: Witness) -> None:
    key = nrcb.state / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(nrcb.state.stat().st_mode) == 0o700
    with pytest.raises(verify.Wrong):
        new_key("other", nrcb.state)
    assert Witness(nrcb.state).vkey == nrcb.vkey
    policy = verify.policy_of(f"witness nrcb {nrcb.vkey}\nquorum nrcb\n".encode())
    assert [name for name, _ in policy.keys] == ["nrcb.example/witness"]


def test_an_honest_log_is_cosigned_step_by_step_and_its_notes_count(
    nrcb: Witness, log: Log
) -> None:
    trust = verify.policy_of(f"log {log.key.vkey}\nwitness n {nrcb.vkey}\nquorum n\n".encode())
    old = 0
    for size in (1, 2, 3, 8, 8, 9, 31, 64, 65):
        line = nrcb.cosign(log.update(old, size), log.key.vkey)
        note = log.checkpoint(size, ()) + line.encode()
        assert verify.open_checkpoint(note, trust).size == size
        held, remembered = Witness(nrcb.state).remembered(log.key.vkey)
        assert held is not None and held.size == size
        assert remembered == note
        old = size


def test_a_wrong_old_size_is_refused_with_the_size_held(nrcb: Witness, log: Log) -> None:
    nrcb.cosign(log.update(0, 20), log.key.vkey)
    for old in (0, 19, 21, 30):
        with pytest.raises(verify.Wrong, match="held is 20"):
            nrcb.cosign(log.update(old, 30), log.key.vkey)
    nrcb.cosign(log.update(20, 30), log.key.vkey)
    with pytest.raises(verify.Wrong, match="held is 30"):  # the same update once more
        nrcb.cosign(log.update(20, 30), log.key.vkey)


def test_rollback_forks_strangers_and_bad_proofs_are_refused(nrcb: Witness, log: Log) -> None:
    nrcb.cosign(log.update(0, 33), log.key.vkey)
    stranger = Log(log.rows, name="somebody.test/ledger")
    head, note = log.update(33, 40).split(b"\n\n", 1)
    lines = head.split(b"\n")
    smaller = log.update(33, 33).replace(b"old 33", b"old 33", 1)
    refused = [
        b"old 33\n\n" + log.checkpoint(20, ()),
        forked(5).update(33, 40),
        forked(33).update(33, 40),
        forked(33).update(33, 33),
        stranger.update(33, 40),
        b"\n".join(lines[:-1]) + b"\n\n" + note,
        b"\n".join([*lines, lines[-1]]) + b"\n\n" + note,
        b"\n".join([lines[0], *lines[:0:-1]]) + b"\n\n" + note,
        lines[0] + b"\n\n" + note,
        smaller.replace(b"\n\n", b"\n" + lines[1] + b"\n\n", 1),
        log.update(33, 40).replace(b"old 33", b"old 033"),
        log.update(33, 40)[:-1],
        log.text(40).encode(),
        b"",
    ]
    for update in refused:
        with pytest.raises((verify.Wrong, *verify.MALFORMED)):
            nrcb.cosign(update, log.key.vkey)
    with pytest.raises(verify.Wrong):
        nrcb.cosign(stranger.update(0, 5), log.key.vkey)
    last, _ = nrcb.remembered(log.key.vkey)
    assert last is not None and last.size == 33
    nrcb.cosign(log.update(33, 40), log.key.vkey)


def test_every_flipped_bit_of_an_update_is_refused_and_forgotten(nrcb: Witness, log: Log) -> None:
    nrcb.cosign(log.update(0, 7), log.key.vkey)
    update = log.update(7, 13)
    for bit in range(len(update) * 8):
        wrong = bytearray(update)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises((verify.Wrong, *verify.MALFORMED)):
            nrcb.cosign(bytes(wrong), log.key.vkey)
    last, _ = nrcb.remembered(log.key.vkey)
    assert last is not None and last.size == 7


def test_both_hashes_are_two_logs_to_a_witness(nrcb: Witness, log: Log) -> None:
    other = county_log(SIZE, "sm3")
    nrcb.cosign(log.update(0, 10), log.key.vkey)
    nrcb.cosign(other.update(0, 12), other.key.vkey)
    nrcb.cosign(log.update(10, 20), log.key.vkey)
    with pytest.raises(verify.Wrong):
        nrcb.cosign(other.update(12, 20), log.key.vkey)


@pytest.mark.parametrize("at", range(1, SIZE + 1))
def test_two_witnesses_find_a_log_with_two_faces(tmp_path: Path, log: Log, at: int) -> None:
    """Each alone sees nothing wrong; the notes side by side prove it."""
    one, two = new_key("a", tmp_path / "a"), new_key("b", tmp_path / "b")
    other = forked(at)
    one.cosign(log.update(0), log.key.vkey)
    two.cosign(other.update(0), log.key.vkey)

    with pytest.raises(verify.Wrong, match="two faces"):
        one.compare(two.remembered(log.key.vkey)[1], log.key.vkey, None)

    [kept] = one.state.glob("two-faces-*")
    trust = verify.policy_of(policy(log.key, quorum="none"))
    notes = [verify.open_checkpoint(path.read_bytes(), trust) for path in kept.iterdir()]
    assert {note.size for note in notes} == {SIZE}
    assert len({note.root for note in notes}) == 2


@pytest.mark.parametrize(("mine", "theirs"), [(20, 33), (33, 20), (1, 64), (64, 63)])
def test_witnesses_who_stand_at_different_sizes_need_the_proof(
    tmp_path: Path, log: Log, mine: int, theirs: int
) -> None:
    one = new_key("a", tmp_path / "a")
    one.cosign(log.update(0, mine), log.key.vkey)
    small, large = sorted((mine, theirs))
    note = log.checkpoint(theirs, ())

    with pytest.raises(verify.Wrong, match="proof is needed"):
        one.compare(note, log.key.vkey, None)
    assert "consistent" in one.compare(note, log.key.vkey, log.update(small, large))
    assert "the same" in one.compare(log.checkpoint(mine, ()), log.key.vkey, None)
    for other in (forked(1), forked(small)):
        for proof in (log.update(small, large), other.update(small, large)):
            with pytest.raises(verify.Wrong):
                one.compare(other.checkpoint(theirs, ()), log.key.vkey, proof)
    for proof in (log.update(small, 65), log.update(small - 1, large), log.update(0, large)):
        with pytest.raises(verify.Wrong):
            one.compare(note, log.key.vkey, proof)
    with pytest.raises(verify.Wrong):
        one.compare(Log(log.rows, name="x").checkpoint(theirs, ()), log.key.vkey, None)


def test_a_witness_whose_memory_was_altered_stops(nrcb: Witness, log: Log) -> None:
    nrcb.cosign(log.update(0, 20), log.key.vkey)
    [memory] = nrcb.state.glob("*.checkpoint")
    memory.write_bytes(log.checkpoint(10, ()))  # signed by the log, but not by this witness
    with pytest.raises(verify.Wrong, match="quorum"):
        nrcb.cosign(log.update(10, 30), log.key.vkey)


def test_nothing_is_given_out_before_it_is_on_disk(
    nrcb: Witness, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the system calls: content to disk, the name, the folder; then the answer."""
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("rename"), replace(a, b))[1])
    nrcb.cosign(log.update(0, 20), log.key.vkey)
    assert calls == ["fsync", "rename", "fsync"]

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        nrcb.cosign(log.update(20, 30), log.key.vkey)
    monkeypatch.undo()
    last, _ = nrcb.remembered(log.key.vkey)
    assert last is not None and last.size == 20
    nrcb.cosign(log.update(20, 30), log.key.vkey)


def test_of_two_continuations_at_once_only_one_is_cosigned(nrcb: Witness, log: Log) -> None:
    nrcb.cosign(log.update(0, 20), log.key.vkey)

    def query(size: int) -> bool:
        try:
            Witness(nrcb.state).cosign(log.update(20, size), log.key.vkey)
        except verify.Wrong:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(query, range(21, 37))) == 1


def test_by_files_alone_as_a_script_beside_the_verifier(tmp_path: Path, log: Log) -> None:
    for file in (verify.__file__, witness.__file__):
        (tmp_path / Path(file).name).write_bytes(Path(file).read_bytes())
    (tmp_path / "update").write_bytes(log.update(0, 9))
    (tmp_path / "fork").write_bytes(forked(2).checkpoint(9, ()))

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "witness.py", *words, "--state", "state"],
            cwd=tmp_path, capture_output=True, check=False, env={**os.environ, "PYTHONUTF8": "1"},
        )  # fmt: skip
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stdout.decode()

    assert run("show")[0] == 2
    code, vkey = run("new-key", "nrcb.example/witness")
    assert code == 0
    assert run("new-key", "nrcb.example/witness")[0] == 1
    code, line = run("cosign", "update", "--log", log.key.vkey, "--out", "line")
    assert (code, line) == (0, (tmp_path / "line").read_text("utf-8"))
    trust = f"log {log.key.vkey}\nwitness n {vkey.strip()}\nquorum n\n"
    note = log.checkpoint(9, ()) + line.encode()
    assert verify.open_checkpoint(note, verify.policy_of(trust.encode())).witnesses == ["n"]
    code, shown = run("show")
    assert vkey.strip() in shown and "\n9\n" in shown
    assert run("cosign", "update", "--log", log.key.vkey)[0] == 1
    assert run("compare", "fork", "--log", log.key.vkey)[0] == 1
    assert run("cosign", "update", "--log", Key("x/sha-256").vkey)[0] == 1
    assert run("cosign", "gone", "--log", log.key.vkey)[0] == 2
