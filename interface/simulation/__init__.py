"""Made-up counties: the demo county, and the back-test whose truth is known."""
