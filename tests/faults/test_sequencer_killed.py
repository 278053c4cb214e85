"""The sequencer, killed at any moment: what it left is whole, and the next one goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import psycopg
from faults import support
from faults.support import ROOT, Place
from faults.test_projection import write_on
from support.chance import SEED

from application.personal_data.encryption import Vault
from application.transparency_log.nodes import last_checkpoint
from application.transparency_log.sequencer import Sequencer
from application.transparency_log.signer import FileSigner
from application.transparency_log.verification import Verification

KILLS = 10
LOANS = 300
ORIGIN = "test.local/ledger/sha-256"

SEALER = """
import random, sys
from pathlib import Path
from application.transparency_log.sequencer import Sequencer
from application.transparency_log.signer import FileSigner
from application.personal_data.encryption import Keys, Vault
dsn, keys, signing_key, seed = sys.argv[1:]
rng = random.Random(int(seed))
authenticate = Vault(Keys.load(Path(keys))).authenticate
sequencer = Sequencer(dsn, "test.local/ledger/sha-256", FileSigner(Path(signing_key)), authenticate)
sequencer.sequence(most=1)
print("ready", flush=True)
while True:
    if sequencer.sequence(most=rng.randint(1, 60)).added:
        print("sealed", flush=True)
"""


def test_after_many_kills_of_the_sequencer_the_tree_is_whole(
    database: Place, tmp_path: Path
) -> None:
    keys, signing_key = tmp_path / "keys.json", tmp_path / "signing-key.json"
    database.keys.save(keys)
    signer = FileSigner.create(signing_key)
    support.lend(database, support.bank(), [f"L{n}" for n in range(LOANS)])
    rng = random.Random(SEED)
    faults: list[str] = []
    stopping = Event()
    writer = Thread(target=write_on, args=(database, stopping, faults))
    writer.start()
    sizes = [0]
    try:
        for kill in range(KILLS):
            words = [sys.executable, "-c", SEALER, database.dsn, str(keys), str(signing_key)]
            with subprocess.Popen(
                [*words, str(SEED + kill)], cwd=ROOT, stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", f"seed {SEED}, kill {kill}"
                for _ in range(rng.randint(0, 3)):
                    assert process.stdout.readline() == b"sealed\n", f"seed {SEED}, kill {kill}"
                time.sleep(rng.uniform(0.0, 0.05))
                assert process.poll() is None, f"it ended by itself: seed {SEED}, kill {kill}"
                process.kill()
            with psycopg.connect(database.dsn) as connection:
                last = last_checkpoint(connection, ORIGIN)
            assert last is not None
            sizes.append(last.head.size)
    finally:
        stopping.set()
        writer.join()
    assert faults == [], f"seed {SEED}"
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > KILLS // 2, "too little was sealed between the kills"

    authenticate = Vault(database.keys).authenticate
    sequencer = Sequencer(database.dsn, ORIGIN, FileSigner(signing_key), authenticate)
    sequencer.catch_up()
    sequencer.close()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        found = Verification(
            connection, ORIGIN, signer.key(ORIGIN), authenticate, signed_last=signer.last(ORIGIN)
        ).run()
    assert found.faults == [], f"seed {SEED}"
    assert found.coverage_bp == 10_000
    assert found.events > LOANS
