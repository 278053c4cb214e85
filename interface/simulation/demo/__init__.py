"""A made-up county with four years of history: for a first look, for tests and for measuring.

Nobody in it exists. `county` invents it from a seed, `load` tells it to a ledger day by day.
"""

from interface.simulation.demo.county import County, Day, county
from interface.simulation.demo.loading import Loaded, load
from interface.simulation.demo.misuse import Scheme

__all__ = ["County", "Day", "Loaded", "Scheme", "county", "load"]
