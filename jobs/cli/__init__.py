"""The `stcn` command line. Each command builds one config and calls one function.

The top floor: only `jobs.__main__` imports it.
"""
