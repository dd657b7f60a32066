"""A small S3 in memory that answers after a set delay and counts requests: the latency of a store on one machine.

It knows what the product asks for: whole and partial reads, create-only writes, copies, deletions of many keys, and
paginated listings. It checks no signatures. `python infra/scale/s3_stub.py DELAY_SECONDS VIDEOS` prints its address;
with `--apart` each video lies in a folder with thousands of other files.
"""

import asyncio
import hashlib
import sys
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, MutableSequence
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from stub_archives import archive, archive_apart

PAGE = 1_000  # keys of one answer to LIST
REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found", 412: "Precondition Failed"}

Answer = tuple[int, Mapping[str, str], bytes]


class Store:
    """Objects by bucket and key."""

    def __init__(self, objects: dict[str, bytes], keys: MutableSequence[str]) -> None:
        """keys: those of the objects, sorted."""
        self.objects, self.keys = objects, keys
        self.requests: Counter[str] = Counter()

    def put(self, path: str, content: bytes) -> None:
        """Store an object."""
        if path not in self.objects:
            insort(self.keys, path)
        self.objects[path] = content

    def remove(self, path: str) -> None:
        """Delete an object, if it is there."""
        if self.objects.pop(path, None) is not None:
            del self.keys[bisect_left(self.keys, path)]

    def answer(self, method: str, target: str, headers: Mapping[str, str], *, body: bytes) -> Answer:
        """The answer to one request."""
        url = urlsplit(target)
        path, query = unquote(url.path).lstrip("/"), parse_qs(url.query, keep_blank_values=True)
        if path == "_requests":
            counts, self.requests = self.requests, Counter()
            return 200, {}, repr(dict(counts)).encode()
        kind = "LIST" if "list-type" in query else "COPY" if "x-amz-copy-source" in headers else method
        self.requests[kind] += 1
        if kind == "LIST":
            return 200, {"Content-Type": "application/xml"}, self._list(path, query).encode()
        if method == "POST" and "delete" in query:
            for key in body.decode().split("<Key>")[1:]:
                self.remove(f"{path.rstrip('/')}/{key.partition('</Key>')[0]}")
            return 200, {"Content-Type": "application/xml"}, b"<DeleteResult></DeleteResult>"
        if kind == "COPY":
            return self._copy(unquote(headers["x-amz-copy-source"]).lstrip("/"), path)
        if method == "PUT":
            if headers.get("if-none-match") == "*" and path in self.objects:
                return 412, {}, _error("PreconditionFailed")
            self.put(path, _unchunked(body, headers))
            return 200, {"ETag": _etag(self.objects[path])}, b""
        if method == "DELETE":
            self.remove(path)
            return 204, {}, b""
        return self._read(method, path, headers)

    def _copy(self, source: str, path: str) -> Answer:
        if source not in self.objects:
            return 404, {}, _error("NoSuchKey")
        self.put(path, self.objects[source])
        result = f"<CopyObjectResult><ETag>{_etag(self.objects[path])}</ETag></CopyObjectResult>"
        return 200, {"Content-Type": "application/xml"}, result.encode()

    def _read(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path not in self.objects:
            return 404, {}, _error("NoSuchKey") if method == "GET" else b""
        content = self.objects[path]
        found = {"ETag": _etag(content), "Last-Modified": formatdate(0, usegmt=True)}
        if method == "HEAD":
            return 200, found | {"Content-Length": str(len(content))}, b""
        if (wanted := headers.get("range", "")).startswith("bytes="):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            stop = min(int(end) + 1, len(content)) if end else len(content)
            found["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            return 206, found, content[int(start) : stop]
        return 200, found, content

    def _list(self, bucket: str, query: Mapping[str, list[str]]) -> str:
        """One page of a listing in the form of ListObjectsV2."""
        bucket = bucket.rstrip("/")
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        start = bisect_left(self.keys, f"{bucket}/{max(prefix, after)}")
        contents, folders, last = list[str](), dict[str, None](), ""
        is_truncated = False
        for path in self._from(start, f"{bucket}/{prefix}", delimiter):
            key = path.removeprefix(f"{bucket}/")
            if not path.startswith(f"{bucket}/{prefix}"):
                break
            if key <= after:
                continue
            if len(contents) + len(folders) == min(PAGE, int(query.get("max-keys", [str(PAGE)])[0])):
                is_truncated = True
                break
            rest, mark, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
            if mark:
                folders[f"{prefix}{rest}{mark}"] = None
                last = f"{prefix}{rest}{mark}\U0010ffff"
            else:
                contents.append(key)
                last = key
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[f'{bucket}/{key}'])}</Size>"
            f"<ETag>{_etag(self.objects[f'{bucket}/{key}'])}</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            for key in contents
        )
        listed += "".join(f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if is_truncated else ""
        return (
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(contents) + len(folders)}</KeyCount>"
            f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>{token}{listed}</ListBucketResult>"
        )

    def _from(self, start: int, prefix: str, delimiter: str) -> Iterator[str]:
        """Keys, of which those of one folder come once: a listing of folders costs as many steps as it has lines."""
        while start < len(self.keys):
            path = self.keys[start]
            yield path
            rest, mark, _ = path.removeprefix(prefix).partition(delimiter) if delimiter else (path, "", "")
            start = bisect_left(self.keys, f"{prefix}{rest}{mark}\U0010ffff") if mark else start + 1


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def _unchunked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The content of a body that is sent in chunks with a checksum after it."""
    if "aws-chunked" not in headers.get("content-encoding", ""):
        return body
    content, rest = b"", body
    while (size := int(rest.partition(b"\r\n")[0].partition(b";")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        content, rest = content + rest[:size], rest[size + 2 :]
    return content


async def _serve(store: Store, delay: float, reader: asyncio.StreamReader, *, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ", 2)
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await asyncio.sleep(delay)
            status, found, content = store.answer(method, target, headers, body=body)
            found = {"Content-Length": str(len(content)), "x-amz-request-id": "0", **found}
            lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in found.items())]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "HEAD" else content))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(store: Store, delay: float) -> None:
    """Answer requests at an address that is printed, until the process ends."""
    server = await asyncio.start_server(
        lambda reader, writer: _serve(store, delay, reader, writer=writer), "127.0.0.1", 0, limit=2**20, backlog=1_000
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    made = archive_apart if "--apart" in sys.argv else archive
    asyncio.run(serve(Store(*made(int(sys.argv[2]))), float(sys.argv[1])))
