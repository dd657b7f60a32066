"""One run of `stcn segment`: the driver plans, lets actors work, commits what they bring, and reports progress.

`cli` and `commands` may import it.
"""
