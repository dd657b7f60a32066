"""Networks and their checkpoints: the contract that propagation relies on, and STCN and STM, which keep it.

Stands on the precision helpers and masks alone. Everything from `acceleration` upward may import it.
"""
