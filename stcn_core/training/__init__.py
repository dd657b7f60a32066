"""Training of space-time memory networks: batches, losses, schedules and steps.

Imports `models`, `memory` and `synthetic`. Of the package, only `benchmark` may import this room.
"""
