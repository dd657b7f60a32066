"""Which worker does which shard, and what follows from a failure: a state machine without Ray, clock or storage.

`actors` drives it with Ray, `infra/scale` with a simulation. `actors` and everything above may import it.
"""
