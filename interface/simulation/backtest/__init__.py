"""The back-test bench: a county whose honest people and fraud cases are known, asked by every rule.

What a rule finds there can be compared with what was planted: precision, recall and the checks a
supervisor makes for each true case. Everything is told through the ledger's ordinary door.
"""

from interface.simulation.backtest.bench import Told, told
from interface.simulation.backtest.county import BacktestCounty
from interface.simulation.backtest.labels import Label
from interface.simulation.backtest.scoring import Score, score

__all__ = ["BacktestCounty", "Label", "Score", "Told", "score", "told"]
