"""A corpus of hostile videos, frames and prompts, and of paths that do not lead to regular files."""

import gzip
import io
import os
import socket
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from jobs.outputs import rle
from jobs.outputs.video_writer import VideoWriter
from tests.jobs.inputs import hostile_containers, hostile_videos
from tests.jobs.inputs.containers import remux
from tests.jobs.inputs.hostile_images import images
from tests.jobs.inputs.hostile_prompts import jsons, npzs, xmls

SECRET, LINKED = "secret.ts", "linked.txt"  # no reader may open the first; links lead to the second
SECRET_TEXT = "the secret's text"
VIDEO_ENDINGS = ("mp4", "mkv", "avi", "ts", "m3u8", "sdp", "nfo", "idx", "wmv", "flv", "gif")
IMAGE_ENDINGS = ("png", "jpg", "tif")

# Writes a frame of 16,000 x 8,000 pixels of one colour, in a process of its own because it takes 1.3 GB.
ENCODE_HUGE = """
import av, sys
with av.open(sys.argv[1], "w") as container:
    stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 16_000, 8_000, "yuv420p"
    container.mux(stream.encode(av.VideoFrame(16_000, 8_000, "yuv420p")))
    container.mux(stream.encode(None))
"""

# Writes a string of 1.1 GB that takes 100 kB in the file.
WRITE_LONG_TEXT = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq, sys
ends = pa.py_buffer(np.array([0, 1_100_000_000], np.int32))
text = pa.StringArray.from_buffers(1, ends, pa.py_buffer(bytes(1_100_000_000)))
numbers = {name: [1] for name in ("frame_index", "object_id", "height", "width")}
table = pa.table({"video_id": ["v"], **numbers, "counts": text})
pq.write_table(table, sys.argv[1], compression="zstd", use_dictionary=False, write_statistics=False)
"""


class Corpus:
    """Files in a folder, and the names of those to read as videos or as prompts."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.videos: list[str] = []
        self.prompts: list[str] = []
        folder.mkdir()
        for name in (SECRET, LINKED):
            self._write(name, f"{SECRET_TEXT}\n".encode() * 100)
        self._sound = _sound_mp4(folder / "sound.mp4")
        self._write("repeats.mp4", hostile_videos.repeats(self._sound, 20_000, 9_000))
        self._add_videos()
        self._add_names()
        self._add_images()
        self._add_huge_videos()
        self._add_archives()
        self._add_places()
        self._add_prompts()

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _video(self, name: str, content: bytes) -> None:
        self._write(name, content)
        self.videos.append(name)

    def _image(self, name: str, content: bytes) -> None:
        """Add an image, to be read as a folder's frame, as a video file, and as a mask."""
        folder = f"frames-of-{name}"
        self._write(f"{folder}/{name}", content)
        self.videos += [folder, f"{folder}/{name}"]
        self.prompts.append(f"{folder}/{name}")

    def _add_videos(self) -> None:
        url, secret, jpeg = self.url, str(self.folder / SECRET), _jpeg()
        for kind, text in hostile_videos.texts(url, SECRET).items():
            for ending in VIDEO_ENDINGS:
                self._video(f"{kind}.{ending}", text.encode())
            for ending in IMAGE_ENDINGS:
                self._image(f"{kind}.{ending}", text.encode())
        for files in (
            hostile_videos.claims(self._sound),
            hostile_videos.external(self._sound, url, secret),
            hostile_videos.matroskas(jpeg, url, secret),
            hostile_videos.avis(jpeg, url),
            hostile_videos.huge_frames(jpeg),
            hostile_containers.containers(self.folder),
        ):
            for name, content in files.items():
                self._video(name, content)

    def _add_names(self) -> None:
        """Add files whose names FFmpeg takes for URLs or patterns."""
        for name in (
            f"concat:{SECRET}", f"concat:{SECRET}|{LINKED}", f"subfile,,start,0,end,9,,:{SECRET}", f"file:{SECRET}",
            f"data:text;base64,{SECRET}", f"async:{SECRET}", f"cache:{SECRET}", f"{self.url}/name.mp4",
            f"hls+{self.url}/name.m3u8", f"crypto+{self.url}/name.mp4", "%d.png", "%03d.jpg", "*.png", "pipe:0", "fd:0",
        ):  # fmt: skip
            self._video(name, self._sound)
        self.videos += [f"concat:{LINKED}|{SECRET}", f"{self.url}/nothing.mp4", "nothing%d.png"]

    def _add_images(self) -> None:
        for name, content in images(_jpeg()).items():
            self._image(name, content)

    def _add_huge_videos(self) -> None:
        huge = self.folder / "huge.mp4"
        subprocess.run([sys.executable, "-c", ENCODE_HUGE, str(huge)], check=True)
        self.videos += ["huge.mp4"]
        for ending in ("mkv", "ts", "flv", "mpg", "asf"):
            self.videos.append(remux(huge, huge.with_suffix(f".{ending}")).name)

    def _add_archives(self) -> None:
        zeros, packed = bytes(20_000_000), io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("video.mp4", zeros)
        for ending in ("mp4", "mkv"):
            self._video(f"zip.{ending}", packed.getvalue())
            self._video(f"gzip.{ending}", gzip.compress(zeros, 1))
        self._video("empty.mp4", b"")
        self._video("zeros.mp4", bytes(1_000_000))

    def _add_places(self) -> None:
        """Add links, pipes, sockets and folders with the names of files."""
        places = self.folder / "places"
        (places / "folder.mp4").mkdir(parents=True)
        os.mkfifo(places / "pipe.mp4")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(os.path.relpath(places / "socket.mp4"))  # a socket's path has up to 107 bytes
        listening.close()
        links = {
            "link": self.folder / LINKED,
            "zero": Path("/dev/zero"),
            "nowhere": Path("none"),
            "waits": places / "pipe.mp4",
        }
        given = ["places", *(f"places/{name}.mp4" for name in ("folder", "pipe", "socket", "nothing"))]
        for name, target in links.items():
            for ending in ("mp4", "png", "parquet", "json"):
                link = places / f"{name}-{ending}/0.{ending}"
                link.parent.mkdir()
                link.symlink_to(target)
                given += [f"places/{link.parent.name}", f"places/{link.parent.name}/{link.name}"]
        self.videos += given
        self.prompts += given

    def _add_prompts(self) -> None:
        for name, values in BAD_ROWS.items():
            pq.write_table(pa.Table.from_pylist([prompt_row(**values)]), self.folder / f"{name}.parquet")
        whole = (self.folder / "long.parquet").read_bytes()
        self._write("cut.parquet", whole[:-20])
        self._write("turned.parquet", whole[:-60] + b"\xff" * 52 + whole[-8:])
        self._write("text.parquet", b"PAR1 no PAR1")
        long = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), pa.array(["0" * 1_000_000]))  # 20 GB if unpacked
        rows = {name: [value] * len(long) for name, value in prompt_row().items() if name != "counts"}
        table = pa.table({**rows, "counts": long})
        pq.write_table(table, self.folder / "repeats.parquet", compression="zstd", store_schema=False)
        subprocess.run([sys.executable, "-c", WRITE_LONG_TEXT, str(self.folder / "long-text.parquet")], check=True)
        for name, content in {**jsons(), **xmls(SECRET, self.url), **npzs(SECRET)}.items():
            self._write(name, content)
        endings = ("parquet", "json", "xml", "npz")
        self.prompts += sorted(path.name for ending in endings for path in self.folder.glob(f"*.{ending}"))


def prompt_row(**values: object) -> dict[str, object]:
    """Build a legal row of prompts, 64 x 48 pixels, with some values replaced."""
    (mask,) = rle.encode(np.pad(np.ones((8, 8), np.int32), ((4, 36), (4, 52))), [1])
    row = {"video_id": "v", "frame_index": 0, "object_id": 1, "height": 48, "width": 64, "counts": mask.counts}
    return {**row, **values}


BAD_ROWS: dict[str, dict[str, object]] = {
    "long": {"counts": "0PPPPP1"}, "short": {"counts": "34"}, "negative": {"counts": "5M^1"}, "open": {"counts": "oo"},
    "no-digits": {"counts": "\u00e9\u20ac"}, "empty": {"counts": ""}, "endless": {"counts": "o" * 5_000_000},
    "vast": {"height": 10**9, "width": 10**9}, "wraps": {"height": 2**31 - 1, "width": 2**31 - 1},
    "flat": {"height": 0}, "below": {"height": -48}, "no-object": {"object_id": 0}, "past": {"frame_index": -1},
    "huge-id": {"object_id": 2**40}, "null": {"object_id": None}, "null-frame": {"frame_index": None},
    "null-counts": {"counts": None}, "text-id": {"object_id": "1"}, "real-id": {"object_id": 1.5},
    "bytes": {"counts": b"\xff\xfe"}, "number": {"counts": 5},
}  # fmt: skip


def _sound_mp4(path: Path) -> bytes:
    with VideoWriter(path, Fraction(24)) as writer:
        for t in range(12):
            writer.write(np.full((48, 64, 3), 20 * t, np.uint8))
    return path.read_bytes()


def _jpeg() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(content, "JPEG")
    return content.getvalue()
