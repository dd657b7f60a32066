"""Listings of S3 are read as botocore reads them."""

import asyncio
from typing import Any

import pytest
import s3fs
from aiobotocore.parsers import AioRestXMLParser
from aiobotocore.session import AioSession
from botocore.model import ServiceModel  # type: ignore[import-untyped]

from jobs.io import storage
from jobs.io.filesystem import open_location
from jobs.io.listing_parser import ListingParser, read_object, timestamp

OBJECT = (
    "<Contents><Key>a%20b&amp;c</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>"
    "<ETag>&quot;0123&quot;</ETag><Size>5000000000</Size><StorageClass>STANDARD</StorageClass>{}</Contents>"
)
BEYOND = {
    "nothing": "",
    "checksums": "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm>"
    "<ChecksumType>FULL_OBJECT</ChecksumType>",
    "an owner": "<Owner><ID>1</ID><DisplayName>me</DisplayName></Owner>",
    "a restored object": "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>",
    "what no version knows": "<Later><Part>1</Part></Later>",
    "an empty value": "<ChecksumType/>",
}


def parsed(parser: Any, body: str) -> Any:
    session = AioSession()
    model = ServiceModel(session.get_component("data_loader").load_service_model("s3", "service-2"))
    shape = model.operation_model("ListObjectsV2").output_shape
    reply = {"body": body.encode(), "headers": {}, "status_code": 200, "context": {"operation_name": "ListObjectsV2"}}
    return asyncio.run(parser(timestamp_parser=timestamp).parse(reply, shape))


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
@pytest.mark.parametrize("beyond", BEYOND)
def test_objects_of_a_listing_are_those_that_botocore_reads(beyond: str, namespace: str) -> None:
    listed = OBJECT.format(BEYOND[beyond]) + OBJECT.format("")
    body = f"<ListBucketResult{namespace}><IsTruncated>true</IsTruncated>{listed}</ListBucketResult>"
    ours, botocores = parsed(ListingParser, body), parsed(AioRestXMLParser, body)
    assert ours == botocores
    assert len(ours["Contents"]) == 2


def test_listings_of_a_store_are_those_of_botocore(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a b", "\u00e4", "100%", "a+b", "<x>&amp;", "deep/er/\u20ac"):
        storage.write(f"{bucket}/{name}", b"content")
    read = list[str]()

    def noted(node: Any) -> Any:
        read.append(node.tag)
        return read_object(node)

    monkeypatch.setattr("jobs.io.listing_parser.read_object", noted)
    name = bucket.removeprefix("s3://")
    fs: Any = open_location(bucket)[0]
    ours, botocores = (each.call_s3("list_objects_v2", Bucket=name)["Contents"] for each in (fs, s3fs.S3FileSystem()))
    assert ours == botocores
    assert len(read) == 6  # of `ours` alone
