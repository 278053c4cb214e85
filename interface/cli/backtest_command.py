"""The command line's word for the back-test."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from application.event_store.migrations import migrate
from application.personal_data.encryption import Keys
from domain.calendar import civil_day
from interface.cli.terminal import OUT, progress_bar
from interface.deployment.embedded_db import EmbeddedPostgres
from interface.simulation.backtest.bench import LAST, told
from interface.simulation.backtest.county import BacktestCounty
from interface.simulation.backtest.curves import Curve, curves, picture, pooled
from interface.simulation.backtest.report import Sum, as_data, page, share, summed
from interface.simulation.backtest.scoring import Score, score_rule, truth
from projections.red_flags import rules

_SEEDS = (1, 2, 3)


@contextmanager
def _ground() -> Iterator[str]:
    """An empty database in a folder that goes away: no deployment is touched."""
    with tempfile.TemporaryDirectory(prefix="mz-backtest-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        try:
            dsn = postgres.start()
            migrate(dsn)
            yield dsn
        finally:
            postgres.stop()


app = typer.Typer()


@app.command()
def backtest(
    seed: Annotated[list[int] | None, typer.Option(help="a county's seed; may be repeated")] = None,
    factor: Annotated[float, typer.Option(help="of the demo county's households")] = 0.1,
    out: Annotated[Path, typer.Option(help="where backtest.md and its pictures go")] = Path("docs"),
    data: Annotated[
        Path | None, typer.Option(help="where the figures go that stand beside each rule")
    ] = None,
    drawing: Annotated[bool, typer.Option(help="vary every threshold, and draw its curve")] = True,
) -> None:
    """回测 Ask every red flag in made-up counties whose truth is known."""
    seeds = seed or list(_SEEDS)
    scores: list[list[Score]] = []
    drawn: list[list[Curve]] = []
    loans = events = 0
    for number in seeds:
        county = BacktestCounty(number, factor)
        with (
            _ground() as dsn,
            progress_bar(f"种子 seed {number}", None) as progress,
            told(dsn, dsn, Keys.generate(), county, progress) as bench,
            bench.facts.at(LAST) as view,
        ):
            known = truth(bench, view)
            scores.append([score_rule(view, known, rule) for rule in rules()])
            drawn.append(list(curves(view, known, rules() if drawing else ())))
            loans, events = loans + len(county.loans), events + bench.events
    sums, pictures = summed(scores), pooled(drawn)
    size = f"{loans:,} loans, {events:,} events"
    _write(out, page(sums, pictures, seeds=seeds, factor=f"{factor:g}", size=size), pictures)
    if data is not None:
        measured = as_data(
            sums,
            pictures,
            measured_on=civil_day(datetime.now(UTC)),
            seeds=seeds,
            factor=f"{factor:g}",
            loans=loans,
            events=events,
        )
        data.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    _show(sums)


def _write(out: Path, text: str, pictures: list[Curve]) -> None:
    folder = out / "backtest"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.svg"):
        stale.unlink()
    for curve in pictures:
        (folder / f"{curve.name}.svg").write_text(picture(curve), "utf-8")
    (out / "backtest.md").write_text(text.rstrip() + "\n", "utf-8")


def _show(sums: list[Sum]) -> None:
    for each in sums:
        found = f"{each.found}/{each.wanted} {share(each.found, each.wanted)}"
        true = f"{each.true}/{each.findings} {share(each.true, each.findings)}"
        OUT.print(
            f"{each.id}  查全 recall {found:>16}   查准 precision {true:>16}   {each.title_zh}"
        )
        for error in each.errors:
            OUT.print(f"  [red]{error}[/red]")
