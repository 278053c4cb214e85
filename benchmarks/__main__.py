"""python -m benchmarks [P1 P2 ...] [--full]: run figures, keep results.json and RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.ground import Result, ground, log, machine, server_version

HERE = Path(__file__).resolve().parent
FIGURES = {
    "P1": "p1_single_repayments",
    "P2": "p2_repayment_file",
    "P3": "p3_facts",
    "P4": "p4_ledgers_any_date",
    "P5": "p5_trace",
    "P6": "p6_sealing",
    "P8": "p8_red_flags",
    "P8I": "p8i_watching",
    "P9": "p9_memory",
    "P10": "p10_console",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="P1", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--full", action="store_true", help="full size and more rounds")
    parser.add_argument("--quick", action="store_true", help="seconds each (the default)")
    parser.add_argument("--no-save", action="store_true", help="print only")
    words = parser.parse_args()
    chosen = [figure.upper() for figure in words.figures] or list(FIGURES)
    if unknown := set(chosen) - FIGURES.keys():
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    where = machine()
    found: list[Result] = []
    for figure in chosen:
        log(f"— {figure}")
        with ground(full=words.full) as floor:
            where["database"] = server_version(floor.dsn)
            results = importlib.import_module(f"benchmarks.{FIGURES[figure]}").run(floor)
        for result in results:
            result.machine = ", ".join(where.values())
            print(result.line(), flush=True)
        found += results
    if not words.no_save:
        save(found, where, "full" if words.full else "quick")
    return 0 if all(result.reached for result in found) else 1


def save(found: list[Result], where: dict[str, str], size: str) -> None:
    """Put the new results in the place of the old ones of the same figures."""
    file = HERE / "results.json"
    kept = json.loads(file.read_text()) if file.exists() else []
    fresh = {result.id for result in found}
    rows = [row for row in kept if row["id"] not in fresh]
    rows += [asdict(result) | {"size": size, "where": where} for result in found]
    rows.sort(key=lambda row: row["id"])
    file.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(table(rows))


def table(rows: list[dict]) -> str:
    lines = [
        "# Measured",
        "",
        "Written by `python -m benchmarks`. Every figure is ours beside its limit, medians of",
        "interleaved rounds of one run; the ratio is judged, never an absolute time.",
        "",
        "| id | what | ours | limit or peer | ratio | target | reached |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['id']} | {row['what']} | {row['ours']} | {row['limit']} | {row['ratio']:g} |"
            f" {row['target']} | {'yes' if row['reached'] else '**no**'} |"
        )
    lines += ["", "## Notes", ""]
    lines += [f"- {row['id']}, {row['what']}: {row['notes']}" for row in rows if row["notes"]]
    lines += ["", "## Where", ""]
    seen: dict[str, list[str]] = {}
    for row in rows:
        place = ", ".join(f"{name} {value}" for name, value in row["where"].items())
        seen.setdefault(f"{place} ({row['size']} size)", []).append(row["id"])
    lines += [f"- {', '.join(dict.fromkeys(ids))}: {place}" for place, ids in seen.items()]
    remarks = HERE / "remarks.md"
    if remarks.exists():
        lines += ["", remarks.read_text().rstrip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
