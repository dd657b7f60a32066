"""Storage of any kind, and how its faults are ridden out."""
