"""Opening a video file, so that it leads nowhere else and takes no more memory than it may."""

from pathlib import Path

import av

from jobs.errors import VideoError
from jobs.inputs import container_probe
from jobs.inputs.decoder_memory import limit_blocks
from jobs.inputs.limits import VideoLimits

# The decoder guesses formats from content, and some of them (playlists, concat scripts) open further
# files and connections: only self-contained ones are allowed.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
# As FFmpeg calls its decoders. It has 300, of arcade games and of screen recorders of the nineties too. No others
# are given a byte, also not those of sound and subtitles.
CODECS = (
    "h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg1video", "mpeg2video", "mpeg4", "h263", "flv",
    "msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "wmv3", "vc1", "theora", "mjpeg", "jpeg2000", "png",
    "prores", "dnxhd", "cfhd", "dvvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "svq3", "rawvideo", "v210",
)  # fmt: skip
BYTES_PER_PIXEL = 8  # at most: four channels of 16 bits


def open_container(path: Path, limits: VideoLimits) -> av.container.InputContainer:
    """A container that can lead nowhere else: by an absolute name that is no URL, and from a regular file."""
    try:
        if not path.is_file():
            what = "is no regular file, but a pipe, socket or device" if path.exists() else "does not exist"
            raise VideoError(f"{what}; legal: a video file, or a folder of images")
        if not (size := path.stat().st_size):
            raise VideoError("is an empty file")
        if (claimed := container_probe.claimed_bytes(path)) > size:
            raise VideoError(f"its tables claim {claimed:,} bytes of samples, and the file has {size:,}: it is damaged")
        limit_blocks(BYTES_PER_PIXEL * max(limits.max_pixels, VideoLimits.max_pixels))
        return av.open(
            f"file:{path.absolute()}",
            options={"max_pixels": str(limits.max_pixels)},  # of the decoders that look at the first frames
            container_options={
                "format_whitelist": FORMATS, "protocol_whitelist": "file", "codec_whitelist": ",".join(CODECS),
            },
            metadata_errors="replace",
        )  # fmt: skip
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        legal = f"legal: {FORMATS}, whole and by content, whatever the file is called"
        raise VideoError(f"cannot be opened as a video ({reason}); {legal}") from error


def video_stream(container: av.container.InputContainer, limits: VideoLimits) -> av.VideoStream:
    """The stream that players would show. Raises VideoError if its codec is not of CODECS, or its frames too large."""
    stream = container.streams.best("video")  # the first may be a cover picture
    if not isinstance(stream, av.VideoStream):
        raise VideoError("has no video stream")
    context: av.VideoCodecContext | None = stream.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "nothing that is known"
        raise VideoError(f"is coded as {name}; legal: {', '.join(CODECS)}. Convert it, to H.264 for example")
    check_size(context.width, context.height, limits)
    return stream


def check_size(width: int, height: int, limits: VideoLimits) -> None:
    """Raises VideoError for a frame that is too large."""
    if width * height > limits.max_pixels:
        raise VideoError(
            f"its frames are {width}x{height}, {width * height:,} pixels; legal: up to {limits.max_pixels:,}. Scale it "
            "down"
        )
