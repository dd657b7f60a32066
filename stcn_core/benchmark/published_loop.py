"""The published loop for timings: STCN frame by frame, as the authors' evaluation script runs it.

It takes all objects of a frame as one batch, shares one affinity among them, convolves the decoder's two skip
connections once a frame, does all else object by object, and grows memory by concatenation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.config import PropagationConfig
from stcn_core.memory.affinity import affinity, readout, similarity
from stcn_core.models.network import Network, Query


def propagate_frame_by_frame(
    model: Network,
    frames: Sequence[np.ndarray],
    prompt: np.ndarray,
    *,
    config: PropagationConfig,
    autocast: bool = False,
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield labels (H, W) and probabilities (1 + O, H, W) of each frame.

    frames: (H, W, 3). prompt: the label map of frame 0, (H, W), ids 1 to O. autocast: to bfloat16, as the script's
    option `--amp` does to float16.
    """
    loop = _Loop(model, prompt, config=config)
    for index, frame in enumerate(frames):
        # Both modes end with the frame: leaving inference mode switches autocast off, also within its own block.
        with torch.inference_mode(), torch.autocast(loop.device.type, torch.bfloat16, enabled=autocast):
            planes = loop.step(index, frame, memorise=index % config.memory_every == 0 and index < len(frames) - 1)
            labels = planes.argmax(0).cpu().numpy()
        yield labels, planes


class _Loop:
    """The state of a clip. N positions in memory, Q of a frame."""

    def __init__(self, model: Network, prompt: np.ndarray, *, config: PropagationConfig) -> None:
        parameter = next(model.parameters())
        self.device, self._dtype = parameter.device, parameter.dtype
        self._model, self._config = model, config
        self._padding = masks.Padding.to_stride(*prompt.shape)
        self._labels = self._padding.add(torch.from_numpy(prompt.astype(np.int64)).to(self.device))
        self._objects = range(1, int(prompt.max()) + 1)
        self._keys: Tensor | None = None  # 1, CK, N
        self._values = torch.empty(0)  # O, CV, N

    def step(self, index: int, frame: np.ndarray, *, memorise: bool) -> Tensor:
        """Probabilities (1 + O, H, W) of a frame (H, W, 3)."""
        image = torch.from_numpy(frame).to(self.device).permute(2, 0, 1)[None].contiguous() / 255
        image = self._model.preprocess(image).to(self._dtype)
        query = self._model.encode_query(image)
        planes = masks.aggregate(self._decode(query) if index else masks.one_hot(self._labels, self._objects))
        if memorise:
            self._memorise(image, query, planes[1:])
        return self._padding.cut(planes)

    def _decode(self, query: Query) -> Tensor:
        """O, H, W."""
        assert self._keys is not None
        similar = similarity(self._keys, query.key.flatten(2), self._model.config.similarity)  # 1, N, Q
        read = readout(affinity(similar, self._config.top_k), self._values)  # O, CV, Q
        read = read.unflatten(-1, query.key.shape[-2:])[:, None]  # O, 1, CV, h, w
        return self._model.segment(read, _of_objects(query, len(self._objects)))[:, 0]

    def _memorise(self, image: Tensor, query: Query, planes: Tensor) -> None:
        key, value = self._model.encode_memory(image, _of_objects(query, len(self._objects)), planes[None])
        key, value = key[0].flatten(2), value[0].flatten(2)
        if self._keys is not None:
            key, value = torch.cat((self._keys, key), 2), torch.cat((self._values, value), 2)
        self._keys, self._values = key, value


def _of_objects(query: Query, objects: int) -> Query:
    """Expand what the script convolves object by object; f8 and f4 stay one per frame."""
    value, f16 = (tensor.expand(objects, -1, -1, -1) for tensor in (query.value, query.f16))
    return replace(query, value=value, f16=f16)
