"""What a process counts of its work, and the names under which a run shows it.

Stands on nothing of the project. Everything above may import it; `actors/metrics_export` gives it to Ray.
"""
