"""Processes that begin with their imports done: forks of one that has imported torch and most of the product.

The command `stcn` and Ray's workers begin within 1 s of CPU time in place of 4. Each is a process of its own with
the arguments, folder, environment and exit code that it was given. Tests about process starts, and about what is
imported, use plain ones.
"""
