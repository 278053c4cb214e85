"""Drawings: where things stand in a picture, as numbers; templates write the SVG."""
