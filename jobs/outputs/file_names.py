"""Safe file names from untrusted ids and names: none escapes its folder, and no two ids collide."""

import hashlib
import re
from urllib.parse import quote

MAX_NAME = 200  # characters; file systems allow 255 bytes, and endings are added
MAX_OWN_NAME = 255 - len(".png")  # bytes of the longest name that a file can have
DIGEST_BYTES = 10  # among a million ids with capitals, two share a name with a probability of 10^-12
CAPITALS = re.compile("[A-Z]")
SEPARATORS = re.compile(r"[/\\\0]")
RESERVED = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))  # on Windows


def file_name(video_id: str) -> str:
    """Name a video's file or folder: at most 200 ASCII characters, and a distinct name for every id.

    Ids of lower-case letters, digits, "-", "_", "." and inner spaces are their own names. Other characters are escaped
    as in URLs. An id with capitals ends in a digest, since file systems that ignore case would confuse it with others;
    an id that is too long is cut and ends in one.
    """
    name = quote(video_id, safe=" ", errors="surrogatepass").replace("~", "%7E")  # "~" is reserved for digests
    if name.startswith(".") or name.partition(".")[0].strip().lower() in RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith((".", " ")):  # Windows drops them
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if name and len(name) <= MAX_NAME and not CAPITALS.search(video_id):
        return name
    digest = hashlib.blake2b(video_id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1]}~{digest}"


def own_name(name: str) -> str:
    """Keep the name of an image or folder, as benchmarks require, or escape one that no file can have."""
    is_own = 0 < len(name.encode(errors="surrogatepass")) <= MAX_OWN_NAME
    return name if is_own and not name.startswith(".") and not SEPARATORS.search(name) else file_name(name)
