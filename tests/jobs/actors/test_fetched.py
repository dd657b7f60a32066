"""What an actor has of a video before it begins."""

from jobs.actors.segmenter import _FetchedVideo
from jobs.io import storage
from jobs.records import Entry
from jobs.segmenting.work_item import WorkItem


def test_prompts_of_a_store_come_with_the_folders_of_objects() -> None:
    for name in ("v/0.jpg", "v/thumbnails/0.jpg", "masks/dog/0.png", "masks/cat/0.png"):
        storage.write(f"memory://archive/{name}", b"x")
    entry = Entry(video_id="v", video="memory://archive/v", prompts="memory://archive/masks")
    fetched = _FetchedVideo(WorkItem(entry=entry, work_id="work", expected_frames=1))
    video, prompts = fetched.paths()
    assert [path.relative_to(video).as_posix() for path in video.rglob("*.jpg")] == ["0.jpg"]
    assert sorted(path.relative_to(prompts).as_posix() for path in prompts.rglob("*.png")) == ["cat/0.png", "dog/0.png"]
