"""Safe opening of video files: no file makes the decoder open another one or exceed the memory limit."""

from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.stream import Disposition

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos import container_probe, signatures
from jobs.inputs.videos.decoder_memory import limit_blocks

# FFmpeg guesses the format from content. Some formats (playlists, concat scripts) open further files and connections,
# so only self-contained formats are allowed: FFmpeg's names of their demuxers, by what the first bytes say. A file is
# opened as nothing else, so that no file escapes the checks of its format by the first bytes of another.
FORMATS = {
    signatures.MP4: "mov,mp4,m4a,3gp,3g2,mj2", signatures.MATROSKA: "matroska,webm", signatures.AVI: "avi",
    signatures.MPEG_TS: "mpegts", signatures.MPEG_PS: "mpeg", signatures.FLV: "flv", signatures.ASF: "asf",
    signatures.MXF: "mxf", signatures.OGG: "ogg", signatures.GIF: "gif", signatures.PNG: "apng",
}  # fmt: skip
ANY_FORMAT = ",".join(FORMATS.values())  # for first bytes that say nothing
LEGAL = "MP4, MOV, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, WMV, MXF, Ogg, GIF and APNG"
# Names of FFmpeg's decoders. FFmpeg has 300, down to those of arcade games and of screen recorders of the nineties. No
# other decoder, be it of video, sound or subtitles, receives a byte.
CODECS = (
    "h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg1video", "mpeg2video", "mpeg4", "h263", "flv",
    "msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "wmv3", "vc1", "theora", "mjpeg", "jpeg2000", "png",
    "prores", "dnxhd", "cfhd", "dvvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "svq3", "rawvideo", "v210",
    "gif", "apng",
)  # fmt: skip
DEFAULT_PIXELS = 5_000_000  # that the disposition "default" counts for, as in FFmpeg
MAX_DESCRIBED = 8  # streams that a note lists
BYTES_PER_PIXEL = 8  # upper bound: four channels of 16 bits
# FFmpeg finds the streams of these formats only after `max_pixels` was handed to decoders, and then decodes a frame
# without any limit to learn its size. Until then a block may hold one plane of 8 bits with its margins: a frame of
# 16,000 x 8,000 pixels took 300 MB, and is refused. Other threads keep to the limit meanwhile: some milliseconds.
UNLIMITED_PROBES = (signatures.FLV, signatures.MPEG_PS, None)
BYTES_PER_PROBED_PIXEL = 1.25


def open_container(path: Path, limits: VideoLimits, hwaccel: HWAccel | None = None) -> av.container.InputContainer:
    """Open a video file, whatever its name, with the formats, protocols and codecs that are allowed.

    hwaccel: for decoding on a GPU. Raises VideoError for a path that is not a regular file, an empty or damaged file,
    and any other format.
    """
    kind: str | None = None
    try:
        if not path.is_file():
            problem = "is not a regular file, but a pipe, socket or device" if path.exists() else "does not exist"
            raise VideoError(f"{problem}; legal: a video file, or a folder of images")
        if not (size := path.stat().st_size):
            raise VideoError("is an empty file")
        kind = signatures.identify(path)
        if (claimed := container_probe.claimed_bytes(path)) > size:
            raise VideoError(f"its tables claim {claimed:,} bytes of samples, but the file has {size:,}: it is damaged")
        return _open(path, kind, limits, hwaccel=hwaccel)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        content = "its first bytes are of no known format" if kind is None else f"by its first bytes it is {kind}"
        legal = f"legal: complete files of the formats {LEGAL}, whatever their names"
        raise VideoError(f"cannot be opened as a video ({reason}); {content}; {legal}") from error


def _open(path: Path, kind: str | None, limits: VideoLimits, *, hwaccel: HWAccel | None) -> av.container.InputContainer:
    most_pixels = max(limits.max_pixels, VideoLimits.max_pixels)
    limit_blocks(round((BYTES_PER_PROBED_PIXEL if kind in UNLIMITED_PROBES else BYTES_PER_PIXEL) * most_pixels))
    try:
        # By a descriptor, of which FFmpeg keeps a copy, and not by the name: FFmpeg's guess weighs a name's ending, and
        # a program stream of six frames, a weak guess by its content, was an image when its name ended in ".png".
        with path.open("rb") as file:
            return av.open(
                "fd:",
                options={"max_pixels": str(limits.max_pixels)},  # for the decoders that probe the first frames
                container_options={
                    "fd": str(file.fileno()), "protocol_whitelist": "fd",
                    "format_whitelist": FORMATS.get(kind or "", ANY_FORMAT), "codec_whitelist": ",".join(CODECS),
                },
                metadata_errors="replace",
                hwaccel=hwaccel,
            )  # fmt: skip
    finally:
        limit_blocks(BYTES_PER_PIXEL * most_pixels)


def video_stream(container: av.container.InputContainer, limits: VideoLimits) -> av.VideoStream:
    """Return the stream that `ffmpeg -i` takes. Raises VideoError for codecs not in CODECS and for too large frames."""
    if not container.streams.video:
        raise VideoError(f"has no video stream; it is {container.format.long_name}")
    stream = max(container.streams.video, key=_rank)  # the first of equals
    context: av.VideoCodecContext | None = stream.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "an unknown codec"
        raise VideoError(f"is coded as {name}; legal: {', '.join(CODECS)}. Convert it, to H.264 for example")
    check_size(context.width, context.height, limits)
    return stream


def describe_choice(container: av.container.InputContainer, chosen: av.VideoStream) -> str | None:
    """Say which of several video streams is read, with their sizes; None if there is no choice. Covers do not count."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if len(streams) < 2:
        return None
    sizes = ", ".join(f"stream {stream.index} of {_size(stream)}" for stream in streams[:MAX_DESCRIBED])
    more = ", ..." if len(streams) > MAX_DESCRIBED else ""
    return f"the file has {len(streams)} video streams ({sizes}{more}); stream {chosen.index} was read"


def _rank(stream: av.VideoStream) -> tuple[bool, bool, int]:
    """Order streams as FFmpeg's automatic choice: by pixels. A cover picture comes after anything that moves."""
    context: av.VideoCodecContext | None = stream.codec_context
    pixels = context.width * context.height if context else 0
    is_default = bool(stream.disposition & Disposition.default)
    return not _is_cover(stream), context is not None, pixels + DEFAULT_PIXELS * is_default


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _size(stream: av.VideoStream) -> str:
    context: av.VideoCodecContext | None = stream.codec_context
    return f"{context.width}x{context.height}" if context else "an unknown codec"


def check_size(width: int, height: int, limits: VideoLimits) -> None:
    """Raise VideoError for a frame of more than `limits.max_pixels`. width, height: pixels."""
    if width * height > limits.max_pixels:
        raise VideoError(
            f"its frames are {width}x{height}, {width * height:,} pixels; legal: up to {limits.max_pixels:,}. Scale it "
            "down"
        )
