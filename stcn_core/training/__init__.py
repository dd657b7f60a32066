"""Training of space-time memory networks: batches, losses, schedules and steps.

Stands on `models`, `memory` and `synthetic`. Nothing else of the package imports it.
"""
