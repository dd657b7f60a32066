"""A slot that is filled again forgets what it was."""

import torch

from stcn_core.memory.frame_buffers import FrameBuffers


def test_a_slot_that_is_filled_again_has_received_no_attention() -> None:
    buffers = FrameBuffers(2)
    for slot in range(2):
        buffers.put(slot, torch.rand(1, 3, 2, 2), torch.rand(1, 5, 2, 2), frame_index=slot)
    buffers.attention_received(2)[:] = 1
    key = torch.rand(1, 3, 2, 2)
    buffers.put(0, key, torch.rand(1, 5, 2, 2), frame_index=7)
    assert buffers.attention_received(2).tolist() == [0] * 4 + [1] * 4
    assert buffers.frame_indices(2).tolist() == [7, 1]
    assert torch.equal(buffers.keys(1), key.flatten(2))
