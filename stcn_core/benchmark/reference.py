"""The reference for timings: STCN frame by frame, with a whole affinity, and decoder and value encoder per object.

Like the authors' evaluation script, the reference takes all objects of a frame as one batch, shares one affinity among
them, fuses values with the image's features object by object, and grows memory by concatenation. Unlike the script, it
convolves the decoder's two skip connections once per object, which adds up to a fifth for five objects.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.config import PropagationConfig
from stcn_core.memory.affinity import affinity, readout, similarity
from stcn_core.models.network import Network, Query


@torch.inference_mode()
def propagate_frame_by_frame(
    model: Network, frames: Sequence[np.ndarray], prompt: np.ndarray, *, config: PropagationConfig
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield labels (H, W) and probabilities (1 + O, H, W) of each frame.

    frames: (H, W, 3). prompt: the label map of frame 0, (H, W), ids 1 to O.
    """
    parameter = next(model.parameters())
    device = parameter.device
    padding = masks.Padding.to_stride(*prompt.shape)
    labels = padding.add(torch.from_numpy(prompt.astype(np.int64)).to(device))
    objects = range(1, int(prompt.max()) + 1)
    keys = values = torch.empty(0)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        for index, frame in enumerate(frames):
            image = model.preprocess(torch.from_numpy(frame).to(device).permute(2, 0, 1)[None].contiguous() / 255)
            image = image.to(parameter.dtype)
            query = model.encode_query(image)
            if index == 0:
                planes = masks.aggregate(masks.one_hot(labels, objects))
            else:
                similar = similarity(keys, query.key.flatten(2), model.config.similarity)  # 1, N, Q
                values_read = readout(affinity(similar, config.top_k), values)  # O, CV, Q
                values_read = values_read.unflatten(-1, query.key.shape[-2:])[:, None]  # O, 1, CV, h, w
                planes = masks.aggregate(model.segment(values_read, _repeat_per_object(query, len(objects)))[:, 0])
            if index % config.memory_every == 0 and index < len(frames) - 1:
                key, value = model.encode_memory(image, _repeat_per_object(query, len(objects)), planes[None, 1:])
                key, value = key[0].flatten(2), value[0].flatten(2)  # 1, CK, h*w; O, CV, h*w
                keys, values = (
                    (key, value) if index == 0 else (torch.cat((keys, key), 2), torch.cat((values, value), 2))
                )
            planes = padding.cut(planes)
            yield planes.argmax(0).cpu().numpy(), planes


def _repeat_per_object(query: Query, objects: int) -> Query:
    """Expand the query as if each object were an image of its own."""
    return query.map(lambda tensor: tensor.expand(objects, -1, -1, -1))
