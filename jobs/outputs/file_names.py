"""Names of files made of ids and names that came from outside, which no id leaves its folder by."""

import hashlib
import re
from urllib.parse import quote

MAX_NAME = 200  # characters of a name; file systems allow 255 bytes, and endings come after it
MAX_OWN_NAME = 255 - len(".png")  # bytes of a name that some file can have had
DIGEST_BYTES = 10  # a chance of 10^-12 that any two of a million ids with capitals share a name
CAPITALS = re.compile("[A-Z]")
SEPARATORS = re.compile(r"[/\\\0]")
RESERVED = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))  # on Windows


def file_name(video_id: str) -> str:
    """A name for a video's file or folder: of ASCII, up to 200 characters, and another for every id.

    Ids of small letters, digits, "-", "_", "." and inner spaces are their own names. Other characters are escaped as
    in URLs, so that no id leaves its folder. An id with capitals gets a digest at its end, as a file system that
    ignores case would not keep it apart from others; so does an id that is too long, after its beginning.
    """
    name = quote(video_id, safe=" ", errors="surrogatepass").replace("~", "%7E")  # "~" stands before digests only
    if name.startswith(".") or name.partition(".")[0].strip().lower() in RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith((".", " ")):  # Windows would drop them
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if name and len(name) <= MAX_NAME and not CAPITALS.search(video_id):
        return name
    digest = hashlib.blake2b(video_id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1]}~{digest}"


def own_name(name: str) -> str:
    """The name of an image or a folder as benchmarks want it, its own; escaped where no file can have had it."""
    is_own = 0 < len(name.encode(errors="surrogatepass")) <= MAX_OWN_NAME
    return name if is_own and not name.startswith(".") and not SEPARATORS.search(name) else file_name(name)
