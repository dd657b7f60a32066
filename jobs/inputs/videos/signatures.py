"""What a file is by its first bytes, whatever its name: to choose checks, and to tell a user what was given."""

import re
from pathlib import Path

HEAD = 4096  # bytes to look at

MATROSKA, AVI, MPEG_PS, MPEG_TS = "Matroska or WebM", "AVI", "an MPEG program stream", "an MPEG transport stream"
FLV, ASF, MXF, OGG, GIF, PNG, MP4 = "FLV", "ASF or WMV", "MXF", "Ogg", "GIF", "PNG", "MP4 or MOV"

# The first match counts. The formats after MPEG_TS are never opened as videos.
SIGNATURES = {
    MATROSKA: rb"\x1a\x45\xdf\xa3",
    AVI: rb"RIFF....AVI ",
    FLV: rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09",
    ASF: rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
    MXF: rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02",
    OGG: rb"OggS\x00",
    GIF: rb"GIF8[79]a",
    PNG: rb"\x89PNG\r\n\x1a\n",
    MP4: rb"....(?:ftyp|moov|mdat|moof|wide|free|skip|pnot|styp|sidx|uuid)",
    MPEG_PS: rb"\x00\x00\x01\xba",  # also the length of an MP4's first box, of 442 bytes
    MPEG_TS: rb"(?:\x47.{187}){4}\x47|(?:.{4}\x47.{187}){4}.{4}\x47|(?:\x47.{203}){4}\x47",
    "WAV sound": rb"RIFF....WAVE",
    "a WebP image": rb"RIFF....WEBP",
    "a JPEG image": rb"\xff\xd8\xff",
    "a TIFF image": rb"II\*\x00|MM\x00\*",
    "a BMP image": rb"BM.{12}\x28\x00\x00\x00",
    "RealMedia": rb"\.RMF",
    "MP3 sound": rb"ID3[\x02-\x04]|\xff[\xf2\xf3\xfa\xfb]",
    "FLAC sound": rb"fLaC",
    "an IVF file": rb"DKIF",
    "a YUV4MPEG file": rb"YUV4MPEG2",
    "DV without a container": rb"\x1f\x07\x00",
    "MPEG video without a container": rb"\x00\x00\x01\xb3",
    "H.264 or HEVC without a container": rb"\x00\x00?\x00\x01[\x09\x27\x40\x42\x46\x67]",
    "a playlist": rb"#EXTM3U|ffconcat version|\[Reference\]|<asx|<ASX",
    "HTML or XML": rb"(?i)\s*<(?:!doctype|html|\?xml|svg)",
    "a PDF document": rb"%PDF-",
    "a ZIP archive": rb"PK\x03\x04",
    "a gzip archive": rb"\x1f\x8b",
    "a 7-Zip archive": rb"7z\xbc\xaf\x27\x1c",
    "a Parquet table": rb"PAR1",
    "a pointer of Git LFS, and not the file itself": rb"version https://git-lfs",
}
PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in SIGNATURES.items()}


def identify(path: Path) -> str | None:
    """Return the name of a file's format, by its content; None if it is not known. Raises OSError."""
    with path.open("rb") as file:
        return identify_head(file.read(HEAD))


def identify_head(head: bytes) -> str | None:
    """Return the name of the format that begins with these bytes; None if it is not known."""
    return next((name for name, pattern in PATTERNS.items() if pattern.match(head)), None)
