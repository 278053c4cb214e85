"""What the programme is: pure decisions about loans, households and subsidies (小额信贷贴息).

Nothing in here reads a clock, a database or a network; the same facts give the same answer.
"""
