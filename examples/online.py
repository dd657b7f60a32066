"""Segment frames as they arrive: `python examples/online.py VIDEO MASK.png`, or without arguments a drawn clip."""

import sys

import av
import numpy as np
from PIL import Image

import stcn_core
from stcn_core.synthetic.clips import draw_clip

if len(sys.argv) == 3:
    frames = (frame.to_ndarray(format="rgb24") for frame in av.open(sys.argv[1]).decode(video=0))
    mask = np.asarray(Image.open(sys.argv[2]))  # indexed or grey: pixel values are object ids
else:
    clip = draw_clip(0, range(24), 144, width=256)
    frames, mask = iter(clip.frames), clip.labels[0]

session = stcn_core.Session(stcn_core.for_inference(stcn_core.load_model("stcn-mini")))
result = session.step(next(frames), mask)
for frame in frames:
    result = session.step(frame)
    areas = {object_id: int((result.labels == object_id).sum()) for object_id in result.object_ids}
    print(f"frame {result.frame_index}: pixels of each object {areas}", flush=True)
