"""The demonstration shows every video's outcome; its Ray is one that it starts itself."""

from pathlib import Path

import pytest
from PIL import Image

from jobs.commands import demo
from tests.parts import VIDEOS


def test_the_demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(demo, "VIDEOS", VIDEOS)
    demo.run_demo(tmp_path / "demo", actors=1)
    out = capsys.readouterr().out
    for video in VIDEOS:
        (line,) = [line for line in out.splitlines() if line.startswith(f"│ {video.video_id} ")]
        assert ("VideoError" in line) == video.broken
        if not video.broken:
            cells = [cell.strip() for cell in line.strip("│").split("│")]
            assert cells[1:4] == [f"{video.width}x{video.height}", str(video.frames), str(video.objects)]
            assert 0 <= float(cells[5]) <= 1
    assert "d was broken on purpose" in out
    overlays = sorted(path.stem for path in (tmp_path / "demo/overlays").iterdir())
    assert overlays == [video.video_id for video in VIDEOS if not video.broken]
    with Image.open(tmp_path / "demo/contact-sheet.png") as sheet:
        assert sheet.size == (demo.THUMBNAIL[0] * demo.SHEET_FRAMES, demo.THUMBNAIL[1] * len(overlays))
        rows = [sheet.crop((0, i * demo.THUMBNAIL[1], sheet.width, (i + 1) * demo.THUMBNAIL[1])) for i in range(4)]
        assert all(row.getbbox() for row in rows)  # something was drawn in each
