"""HTTP: the app, its limits, its errors, and the routes by noun."""
