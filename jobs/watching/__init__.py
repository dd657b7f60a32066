"""How people see a run: its progress where it runs, and the state of its output from elsewhere.

`cli`, `commands` and `run` may import it.
"""
