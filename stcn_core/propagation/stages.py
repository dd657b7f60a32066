"""What a profile calls the parts of the work."""

STAGES = KEY, READ, DECODER, LABELS, VALUE = "key", "memory read", "decoder", "labels", "value"
