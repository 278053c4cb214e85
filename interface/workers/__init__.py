"""What runs beside the routes: projector, sequencer, watchers."""
