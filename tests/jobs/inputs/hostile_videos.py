"""Contents of hostile videos, by file name: they refer to other files, or claim more memory than any machine has."""

import struct

from tests.jobs.inputs.containers import avi, box, element, find_box, matroska, replace_box

HUGE = 16_000, 8_000  # pixels
CLAIMS = (10_000_000, 80_000_000, 2**32 - 1)  # frames; 80 million of them took 4.1 GB
TABLES = "moov/trak/mdia/minf/stbl"
Files = dict[str, bytes]


def texts(url: str, secret: str) -> dict[str, str]:
    """Build files of formats that refer to other files and programs, by kind. secret: a name in the same folder."""
    return {
        "ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
        "ffconcat-away": f"ffconcat version 1.0\nfile '{url}/concat.mp4'\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n",
        "hls-away": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/hls.ts\n#EXT-X-ENDLIST\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        f'<Representation id="0"><BaseURL>{url}/dash.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{url}\nm=video 9 RTP/AVP 9\n",
        "rtsp": f"RTSPtextRTSP:{url}/rtsp\n",
        "asx": f'<asx version="3.0"><entry><ref href="{url}/asx.wmv"/></entry></asx>',
        "reference": f"[Reference]\r\nRef1={url}/reference.wmv?MSWMExt=.asf\r\nRef2={secret}\r\n",
        "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n",
        "text": "nothing but text\n" * 100,
        "svg": f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{secret}">]><svg '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><text>&x;</text>'
        f'<image xlink:href="{url}/svg.png"/></svg>',
        "eps": f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n({secret}) (r) file\nshowpage\n",
    }


def claims(sound: bytes) -> Files:
    """Build MP4s that claim absent frames. sound: an intact MP4."""
    files = {"boxes.mp4": sound + struct.pack(">I4s", 8, b"free") * 600_000}
    for count in CLAIMS:
        constant = replace_box(sound, f"{TABLES}/stsz", struct.pack(">III", 0, 5, count))
        in_one_chunk = replace_box(constant, f"{TABLES}/stsc", struct.pack(">5I", 0, 1, 1, count, 1))
        times = struct.pack(">4I", 0, 1, count, 512)
        sizes = struct.pack(">III", 0, 0, count)
        files[f"claims-{count}-samples.mp4"] = in_one_chunk
        files[f"claims-{count}-times.mp4"] = replace_box(sound, f"{TABLES}/stts", times)
        files[f"claims-{count}-both.mov"] = replace_box(in_one_chunk, f"{TABLES}/stts", times)
        files[f"claims-{count}-sizes.mp4"] = replace_box(sound, f"{TABLES}/stsz", sizes)
        files[f"claims-{count}-in-a-fragment.mp4"] = _with_fragment(sound, count)
    return files


def repeats(sound: bytes, samples: int, edits: int) -> bytes:
    """Build an MP4 whose edit list repeats the whole video."""
    table = replace_box(sound, f"{TABLES}/stsz", struct.pack(">III", 0, 0, samples) + struct.pack(">I", 5) * samples)
    table = replace_box(table, f"{TABLES}/stsc", struct.pack(">5I", 0, 1, 1, samples, 1))
    table = replace_box(table, f"{TABLES}/stts", struct.pack(">4I", 0, 1, samples, 512))
    edit = struct.pack(">IIHH", samples * 1000 // 24, 0, 1, 0)
    return replace_box(table, "moov/trak/edts/elst", struct.pack(">II", 0, edits) + edit * edits)


def _with_fragment(sound: bytes, count: int) -> bytes:
    start, end = find_box(sound, "moov")
    extends = box(b"mvex", box(b"trex", struct.pack(">6I", 0, 1, 1, 512, 1, 0)))
    run = box(b"tfhd", struct.pack(">II", 0, 1)) + box(b"trun", struct.pack(">II", 0, count))
    return sound[:start] + box(b"moov", sound[start + 8 : end] + extends) + box(b"moof", box(b"traf", run))


def external(sound: bytes, url: str, secret: str) -> Files:
    """Build QuickTime files whose tracks are in other files. secret: an absolute path."""
    path = secret.encode() + b"\0" * (len(secret) % 2)
    names = bytes(10 + 28 + 12 + 64 + 16) + struct.pack(">hh", 1, 1) + bytes(16)  # of volume and file: empty
    references = {
        "alias": (b"alis", names + struct.pack(">HH", 2, len(path)) + path + b"\xff\xff"),
        "url": (b"url ", f"{url}/dref.mp4\0".encode()),
        "file": (b"url ", b"file://" + path + b"\0"),
        "urn": (b"urn ", b"x\0" + path + b"\0"),
    }
    return {
        f"external-{name}.mov": replace_box(
            sound, "moov/trak/mdia/minf/dinf/dref", struct.pack(">II", 0, 1) + box(kind, bytes(4) + content)
        )
        for name, (kind, content) in references.items()
    }


def matroskas(jpeg: bytes, url: str, secret: str) -> Files:
    """Build Matroska files that link to other files, have attachments, or have far too many attachments or tracks."""
    link, size = secret.encode(), (64, 48)
    info = element("3c83ab", link) + element("3e83bb", link) + element("3eb923", bytes(16))
    chapter = element("b6", element("6e67", bytes(16)) + element("73c4", b"\1") + element("91", b"\0"))
    attached = b"".join(
        element("61a7", element("466e", name) + element("4660", mime) + element("465c", jpeg) + element("46ae", b"\1"))
        for name, mime in ((link, b"text/plain"), (b"../../x.ttf", b"font/ttf"), (url.encode(), b"image/png"))
    )
    others = element("1043a770", element("45b9", chapter)) + element("1941a469", attached)
    many, tracks = bytes.fromhex("61a780") * 300_000, bytes.fromhex("ae80") * 300_000
    codecs = ("V_UNCOMPRESSED", "V_REAL/RV40", "V_QUICKTIME", "V_UNKNOWN", "S_TEXT/ASS")
    return {
        "linked-segments.mkv": matroska("V_MJPEG", size, [jpeg] * 3, info, others),
        "attachments.mkv": matroska("V_MJPEG", size, [jpeg], others=element("1941a469", many)),
        "tracks.mkv": matroska("V_MJPEG", size, [], others=element("1654ae6b", tracks)),
        **{f"codec-{codec.replace('/', '-')}.mkv": matroska(codec, size, [jpeg]) for codec in codecs},
    }


def avis(jpeg: bytes, url: str) -> Files:
    """Build AVIs with odd stream types, subtitles that hold a playlist, and codecs outside the allowlist."""
    playlist = f"#EXTM3U\n#EXTINF:9,\n{url}/gab2.ts\n".encode()
    gab2 = b"GAB2\0\2\0" + struct.pack("<I", 2) + b"x\0\4\0" + struct.pack("<I", len(playlist)) + playlist
    picture = (b"vids", b"MJPG", jpeg)
    odd = {kind: avi([picture, (kind, b"dvsd", b"x" * 99)]) for kind in (b"mids", b"iavs", b"data", b"????")}
    codecs = (b"tscc", b"Hap1", b"G2M4", b"IV41", b"ZMBV", b"QPEG", b"XXXX", b"VP70")
    return {
        "subtitles.avi": avi([picture, (b"txts", bytes(4), gab2)]),
        **{f"stream-{kind.hex()}.avi": content for kind, content in odd.items()},
        **{f"codec-{codec.decode()}.avi": avi([(b"vids", codec, jpeg)]) for codec in codecs},
    }


def huge_frames(jpeg: bytes) -> Files:
    """Build files with frames of 16,000 x 8,000 pixels, by claim of the coded frame, the container, or both."""
    at = jpeg.index(b"\xff\xc0") + 5  # height and width
    large = jpeg[:at] + struct.pack(">HH", *reversed(HUGE)) + jpeg[at + 4 :]
    # VP9: marker, profile and flags in 8 bits, a sync code of 24, colour in 4, width - 1 and height - 1 in 16 each
    vp9 = struct.pack(">Q", (0x82 << 60 | 0x498342 << 36 | (HUGE[0] - 1) << 16 | (HUGE[1] - 1)) >> 4) + bytes(99)
    files: Files = {}
    for name, size in (("frame", (64, 48)), ("both", HUGE)):
        files[f"huge-jpeg-{name}.mkv"] = matroska("V_MJPEG", size, [large])
        files[f"huge-jpeg-{name}.avi"] = avi([(b"vids", b"MJPG", large)], size)
        files[f"huge-vp9-{name}.mkv"] = matroska("V_VP9", size, [vp9])
    for codec in ("V_FFV1", "V_UNCOMPRESSED", "V_MPEG4/ISO/ASP", "V_AV1", "V_VP8", "V_PRORES"):
        files[f"huge-{codec.replace('/', '-')}.mkv"] = matroska(codec, HUGE, [jpeg])
    return files
