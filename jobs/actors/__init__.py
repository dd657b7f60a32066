"""Processes that segment: Ray lives here."""
