"""What the commands other than `segment` do, one module a command.

Only `cli` imports it.
"""
