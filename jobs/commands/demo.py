"""`stcn demo`: segment a drawn archive, score the masks, and draw overlays."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.commands.evaluate import evaluate_output
from jobs.commands.overlay import overlay_output
from jobs.inputs.videos.video import Video
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow
from jobs.run.driver import run
from jobs.scores.tables import ObjectScore
from jobs.watching.progress import reporter

VIDEOS = [
    DrawnVideo(video_id="one-object", seed=101, frames=48, height=240, width=426, rate=Fraction(24), objects=1),
    DrawnVideo(video_id="two-objects", seed=102, frames=40, height=240, width=320, rate=Fraction(30), objects=2),
    DrawnVideo(video_id="three-objects", seed=103, frames=40, height=240, width=426, rate=Fraction(25), objects=3),
    DrawnVideo(video_id="ntsc-rate", seed=104, frames=48, height=240, width=360, rate=Fraction(30000, 1001), objects=1),
    DrawnVideo(video_id="portrait", seed=105, frames=36, height=426, width=240, rate=Fraction(25), objects=2),
    DrawnVideo(
        video_id="late-object", seed=208, frames=45, height=240, width=426, rate=Fraction(15), objects=2, late={2: 14}
    ),
    DrawnVideo(video_id="wide", seed=107, frames=30, height=270, width=640, rate=Fraction(50), objects=2),
    DrawnVideo(
        video_id="broken", seed=108, frames=30, height=240, width=426, rate=Fraction(24), objects=1, broken=True
    ),
]
SHEET_FRAMES = 6  # per video on the contact sheet
THUMBNAIL = (240, 136)  # width and height in pixels


def run_demo(folder: Path, actors: int = 2) -> None:
    """Draw an archive, segment it, print a table of scores, and write overlays and a contact sheet to `folder`."""
    console = Console()
    console.print(f"Drawing {len(VIDEOS)} videos into {folder}/archive; one is broken on purpose.")
    manifest = draw_archive(VIDEOS, folder / "archive")
    output = folder / "output"
    console.print(f"Running: stcn segment {manifest} {output} --actors {actors}")
    rows = run(SegmentConfig(manifest=str(manifest), output=str(output), actors=actors), reporter()).rows()
    scores = evaluate_output(str(output), str(folder / "archive" / "truth")).objects
    console.print(score_table(rows, scores))
    for row in rows:
        if row.status == "quarantined":
            console.print(f"{row.video_id} was broken on purpose; its row says: {row.error_message}", markup=False)
    overlays = sorted(path for _, path in overlay_output(str(output), folder / "overlays") if isinstance(path, Path))
    sheet = folder / "contact-sheet.png"
    contact_sheet(overlays).save(sheet)
    console.print(f"Masks:         {output}/masks (Parquet, COCO RLE)")
    console.print(f"Overlays:      {folder}/overlays ({len(overlays)} MP4)")
    console.print(f"Contact sheet: {sheet}")


def score_table(rows: Sequence[VideoRow], scores: Sequence[ObjectScore]) -> Table:
    """Build a table with a line per video: frames, speed and mean J&F of its objects, or its error."""
    table = Table("video", "size", "frames", "objects", "frames/s*", "J&F", title="stcn-mini on drawn clips")
    for row in rows:
        means = [score.mean for score in scores if score.video_id == row.video_id]
        if row.status == "done":
            speed = f"{(row.frames_decoded or 0) / (row.seconds or 1):.1f}"
            size, mean = f"{row.width}x{row.height}", f"{sum(means) / len(means):.3f}"
            table.add_row(row.video_id, size, str(row.frames_decoded), str(row.objects), speed, mean)
        else:
            table.add_row(row.video_id, "", "", "", "", f"[red]{row.error_class}")
    frames, seconds = sum(r.frames_decoded or 0 for r in rows), sum(r.seconds or 0 for r in rows)
    mean = f"{sum(s.mean for s in scores) / len(scores):.3f}"
    table.add_section()
    table.add_row("all", "", str(frames), str(len(scores)), f"{frames / seconds:.1f}", mean)
    table.caption = "* of one actor, from opening the file to rows"
    return table


def contact_sheet(videos: Sequence[Path]) -> Image.Image:
    """Draw a contact sheet with a row of frames per video, and the video's name on the first frame."""
    width, height = THUMBNAIL
    sheet = Image.new("RGB", (width * SHEET_FRAMES, height * len(videos)))
    for row, path in enumerate(videos):
        with Video(path) as video:
            frames = [frame.image for frame in video]
        for column in range(SHEET_FRAMES):
            image = Image.fromarray(frames[column * (len(frames) - 1) // (SHEET_FRAMES - 1)])
            image.thumbnail(THUMBNAIL)
            sheet.paste(image, (width * column + (width - image.width) // 2, height * row))
        ImageDraw.Draw(sheet).text((4, height * row + 2), path.stem, fill="white", stroke_width=1, stroke_fill="black")
    return sheet
