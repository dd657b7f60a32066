"""Prompts that mean harm, by file name: claims on memory or the stack, and names that lead away."""

import io
import json
import pickle
import struct
import zipfile
from typing import Any


def _coco(segmentation: object, name: str = "dog", **annotation: object) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "v/0.jpg", "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": name}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation, **annotation}],
    }


def _sav(**values: object) -> dict[str, Any]:
    return {"video_frame_count": 1, "masklet": [[{"size": [48, 64], "counts": "0"}]], "masklet_id": [1], **values}


def _burst(track: str = "1", **values: object) -> dict[str, Any]:
    masks = {"annotated_image_paths": ["0.jpg"], "segmentations": [{track: {"rle": "0"}}]}
    return {"sequences": [{"seq_name": "v", "height": 48, "width": 64, **masks, **values}]}


def jsons() -> dict[str, bytes]:
    square = [8, 8, 40, 8, 40, 40, 8, 40]
    contents = {
        "polygon-of-nothing": _coco([[]]),
        "polygon-of-a-comb": _coco([[0, 0, 64, 48] * 24_999]),  # its outline would take 4 GB at 8192 x 8192
        "polygon-far-away": _coco([[*square[:-1], 1e300]]),
        "polygons-many": _coco([square] * 30_000),
        "polygon-of-texts": _coco([["8"] * 8]),
        "size-vast": _coco({"size": [10**9, 10**9], "counts": "0"}),
        "size-wraps": _coco({"size": [2**32, 2**32], "counts": [2**64]}),
        "size-below": _coco({"size": [-48, -64], "counts": "0"}),
        "counts-open": _coco({"size": [48, 64], "counts": "oo"}),
        "counts-endless": _coco({"size": [48, 64], "counts": "o" * 5_000_000}),
        "counts-long-number": _coco({"size": [48, 64], "counts": [10**4_000]}),
        "counts-of-lists": _coco({"size": [48, 64], "counts": [[[]]] * 100_000}),
        "name-nul": _coco([square], name="a\0b"),
        "name-no-text": _coco([square], name="\ud800"),
        "name-long": _coco([square], name="x" * 5_000_000),
        "name-escapes": _coco([square], name="\x1b[2J../../etc"),
        "id-huge": _coco([square], track_id=10**300),
        "masklets-none": _sav(masklet=[], masklet_id=[]),
        "masklets-of-0": _sav(masklet_id=[0, -1]),
        "frames-huge": _sav(video_frame_count=1e308),
        "sequence-vast": _burst(height=10**9, width=10**9),
        "sequence-of-a-long-track": _burst(track="9" * 100_000),
        "sequence-elsewhere": _burst(annotated_image_paths=["../../secret.ts"], all_image_paths=["/etc/passwd"]),
        "values": [0] * 20_000_000,
        "points": _coco([[1] * 20_000_000]),  # 10^7 points
    }
    files = {f"{name}.json": json.dumps(content, separators=(",", ":")).encode() for name, content in contents.items()}
    return {
        **files,
        "deep.json": b'{"images":' + b"[" * 1_000_000,
        "deep-objects.json": b'{"a":' * 1_000_000,
        "digits.json": b'{"images":' + b"9" * 1_000_000 + b"}",
        "nan.json": b'{"images": NaN}',
        "utf-16.json": json.dumps(_coco(None)).encode("utf-16")[:-1],
        "text.json": b"ffconcat version 1.0\nfile secret.ts\n",
    }


def _cvat(shapes: str, head: str = "", track: str = 'id="0" label="dog"') -> str:
    size = "<meta><task><original_size><width>64</width><height>48</height></original_size></task></meta>"
    return f"{head}<annotations>{size}<track {track}>{shapes}</track></annotations>"


def xmls(secret: str, url: str) -> dict[str, bytes]:
    """secret, url: a file and a server that no reader may open."""
    box = 'frame="0" left="0" top="0" width="8" height="8"'
    mask = f'<mask {box} rle="0,64"/>'
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    contents = {
        "entity-bomb": _cvat("&a11;", f'<!DOCTYPE annotations [<!ENTITY a0 "ha">{laughs}]>'),
        "entity-long": _cvat("&a;" * 10_000, f'<!DOCTYPE annotations [<!ENTITY a "{"x" * 100_000}">]>'),
        "entity-of-a-file": _cvat("&a;", f'<!DOCTYPE annotations [<!ENTITY a SYSTEM "{secret}">]>'),
        "entity-of-a-server": _cvat("&a;", f'<!DOCTYPE annotations [<!ENTITY a SYSTEM "{url}/name.mp4">]>'),
        "entity-of-parameters": _cvat(mask, f'<!DOCTYPE annotations [<!ENTITY % a SYSTEM "{url}/name.mp4"> %a;]>'),
        "entity-unknown": _cvat("&a;"),
        "dtd-of-a-file": _cvat(mask, f'<!DOCTYPE annotations SYSTEM "{secret}">'),
        "dtd-of-a-server": _cvat(mask, f'<!DOCTYPE annotations PUBLIC "x" "{url}/name.mp4">'),
        "included": _cvat(f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{secret}"/>'),
        "deep": "<annotations>" * 1_000_000,
        "many": "<annotations>" + "<a/>" * 3_000_000,
        "attributes": "<annotations " + " ".join(f'a{n}=""' for n in range(1_000_000)) + "/>",
        "attribute-long": f'<annotations a="{"x" * 20_000_000}"/>',
        "name-long": "<" + "x" * 20_000_000,
        "text-long": f"<annotations>{'x y ' * 5_000_000}</annotations>",
        "label-escapes": _cvat(mask, track='id="0" label="\u202e../../etc"'),
        "label-long": _cvat(mask, track=f'id="0" label="{"x" * 5_000_000}"'),
        "id-huge": _cvat(mask, track=f'id="{"9" * 100_000}" label="dog"'),
        "runs-many": _cvat(f'<mask {box} rle="{"0," * 5_000_000}64"/>'),
        "runs-huge": _cvat(f'<mask {box} rle="{"9" * 5_000_000}"/>'),
        "runs-below": _cvat(f'<mask {box} rle="-1,65"/>'),
        "runs-endless": _cvat(f'<mask {box} rle="0,9999999999"/>'),
        "points-many": _cvat(f'<polygon frame="0" points="{"0,0;" * 3_000_000}"/>'),
        "points-of-commas": _cvat(f'<polygon frame="0" points="{"," * 10_000_000}"/>'),
        "points-far": _cvat('<polygon frame="0" points="0,0;1e300,0;nan,inf"/>'),
        "frame-vast": _cvat(mask).replace("<height>48", "<height>9999999999"),
    }
    files = {f"{name}.xml": content.encode() for name, content in contents.items()}
    encoded = {f"{encoding}.xml": _cvat(mask).encode(encoding) for encoding in ("utf-16", "cp037")}
    return {**files, **encoded, "text.xml": b"ffconcat version 1.0\nfile secret.ts\n"}


def _npz(member: bytes, name: str = "0.npy", **options: Any) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as archive:
        archive.writestr(name, member)
    return content.getvalue()


def _npy(shape: str, values: bytes = b"", descr: str = "'|u1'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


class _Opens:
    """Opens a file once it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path,)


def npzs(secret: str) -> dict[str, bytes]:
    """secret: a file that no reader may open."""
    opens = pickle.dumps(_Opens(secret))
    end = struct.Struct("<4s4H2LH")
    contents = {
        "pickle": _npz(_npy("(1,)", opens, "'|O'")),
        "pickle-alone": opens,
        "pickle-in-zip": _npz(opens),
        "shape-vast": _npz(_npy("(1000000000, 1000000000)", bytes(64))),
        "shape-below": _npz(_npy("(-48, -64)", bytes(48 * 64))),
        "shape-endless": _npz(_npy("(" + "9" * 4_000 + ", 1)", bytes(64))),
        "shape-of-many-sides": _npz(_npy("(" + "1, " * 3_000 + ")", b"\x01")),
        "shape-deep": _npz(_npy("(" * 5_000)),
        "shape-negated": _npz(_npy("(" + "-" * 9_000 + "1,)")),
        "plane-vast": _npz(_npy("(16000, 16000)", bytes(16_000 * 16_000))),  # 250 kB in the file
        "planes-many": _npz(_npy("(2000000, 1, 1)", bytes(2_000_000)), "masks.npy"),
        "header-long": _npz(b"\x93NUMPY\x02\x00" + struct.pack("<L", 300_000_000) + bytes(300_000_000)),
        "type-wide": _npz(_npy("(1, 1)", bytes(64), "'|V2000000000'")),
        "type-table": _npz(_npy("(1,)", bytes(64), "[('a', '|u1')] * 9")),
        "name-leads-away": _npz(_npy("(48, 64)", b"\x01" * 48 * 64), f"../{secret}.npy"),
        "name-escapes": _npz(_npy("(48, 64)", b"\x01" * 48 * 64), "\x1b[J.npy"),
        "directory-vast": end.pack(b"PK\5\6", 0, 0, 65_535, 65_535, 2**32 - 1, 0, 0),
        "directory-of-nothing": bytes(20_000_000) + end.pack(b"PK\5\6", 0, 0, 9, 9, 20_000_000, 0, 0),
        "directory-64": b"PK\6\7" + bytes(16) + end.pack(b"PK\5\6", 0, 0, 9, 9, 99, 0, 0),
        "method": _npz(_npy("(48, 64)", bytes(48 * 64)), compression=zipfile.ZIP_LZMA),
        "none": b"",
    }
    return {f"{name}.npz": content for name, content in contents.items()}
