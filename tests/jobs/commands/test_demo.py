"""`stcn demo` shows every video's outcome, and starts its own Ray."""

from pathlib import Path

from PIL import Image

from jobs.commands import demo
from tests.parts import VIDEOS, in_cluster
from tests.preloaded.process import Process

# In a process of its own: a process that has used a cluster with a token cannot start one without.
DEMO = """
import pathlib, sys
from jobs.commands import demo
from tests.parts import VIDEOS, in_cluster
demo.VIDEOS = VIDEOS
demo.run_demo(pathlib.Path(sys.argv[1]), actors=1)
"""


def test_demo_shows_the_outcome_of_every_video(tmp_path: Path) -> None:
    with Process("-c", DEMO, tmp_path / "demo", env=in_cluster("")) as process:
        assert process.wait(300) == 0, process.errors()
    out = process.output()
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
