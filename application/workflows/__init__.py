"""Commands that rest on what a projection found: ask it through a port, then submit."""
