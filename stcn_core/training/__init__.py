"""Training of space-time memory networks: batches, losses, schedules and steps."""
