"""Networks and their checkpoints: the contract that propagation relies on, the registry, and STCN and STM.

Stands on the precision helpers and masks alone. Everything from `acceleration` upward may import it, but for the
networks' own files, which only `network_registry` imports.
"""
