"""Promise: a manifest names only what the user allows: schemes and prefixes, and no chains."""

from pathlib import Path

import pytest

from jobs.errors import ManifestError
from jobs.inputs.allowlist import is_allowed
from jobs.inputs.manifest import read_manifest

HERE, STORE = "/data/manifest.csv", "s3://bucket/manifest.csv"


@pytest.mark.parametrize(
    ("location", "manifest", "prefixes", "expected"),
    [
        ("/data/v.mp4", HERE, [], True),
        ("s3://other/v.mp4", HERE, [], True),
        ("http://169.254.169.254/latest", HERE, [], False),
        ("zip://x::s3://b/y.zip", HERE, [], False),
        ("s3://b/y::file:///etc/passwd", HERE, [], False),
        ("s3://bucket/in/y::file:///etc/passwd", STORE, ["s3://bucket/in"], False),
        ("s3://other/v.mp4", STORE, [], True),
        ("/etc/passwd", STORE, [], False),
        ("file:///etc/passwd", STORE, [], False),
        ("gs://other/v.mp4", STORE, [], False),
        ("s3://bucket/in/v.mp4", STORE, ["s3://bucket/in"], True),
        ("s3://bucket/in/../secret/v.mp4", STORE, ["s3://bucket/in"], False),
        ("s3://bucket/inner/v.mp4", STORE, ["s3://bucket/in"], False),
        ("/data/../etc/passwd", HERE, ["/data"], False),
        ("https://host/v.mp4", HERE, ["https://host/"], True),
    ],
)
def test_allowlist_decides_what_may_be_read(location: str, manifest: str, prefixes: list[str], expected: bool) -> None:
    assert is_allowed(location, manifest, prefixes) is expected


def test_symlink_cannot_leave_the_allowed_prefix(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in/v.mp4").symlink_to(tmp_path / "secret")
    assert not is_allowed(f"{tmp_path}/in/v.mp4", HERE, [f"{tmp_path}/in"])


def test_rows_that_are_not_allowed_are_named(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("video_id,video,prompts\na,http://host/v.mp4,p.png\nb,v.mp4,p.png")
    with pytest.raises(
        ManifestError, match=r"row 1: video is 'http://host/v.mp4', which is not allowed; legal: a path"
    ):
        read_manifest(str(manifest))
    with pytest.raises(ManifestError, match=r"row 2: video is .*v.mp4', which is not allowed; legal: under /else"):
        read_manifest(str(manifest), ["/else", "http://host"])
