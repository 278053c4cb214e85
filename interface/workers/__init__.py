"""What runs beside the routes: projector, sealer, watchers."""
