"""Which masks of an output are worth training on."""
