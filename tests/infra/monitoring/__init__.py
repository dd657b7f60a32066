"""Tests of the metrics of a run, and of what looks at them."""
