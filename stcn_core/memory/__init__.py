"""Space-time memory: keys and values of memory frames, and the read that compares a query with them.

Stands on `config`, and knows no network. `propagation`, `training` and `benchmark` may import it.
"""
