"""How the same masks are computed faster, or in less memory: forms of layers, batches, the allocator.

Stands on `models`. `propagation` and everything above it may import it.
"""
