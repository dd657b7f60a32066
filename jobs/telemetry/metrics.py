"""Every metric of a run: its name, kind, labels and meaning. docs/METRICS.md lists them; a test compares the two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge"]
Role = Literal["driver", "actor"]

PREFIX = "ray_"  # that Ray puts before the name of each metric
# Labels of all metrics. Ray labels each process by its WorkerId in any case, so these two add no series.
COMMON_LABELS = ("run", "role")


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity: a hash of all fields takes 1 us
class Metric:
    """A figure that Prometheus collects. Labels take few values: never a video, an actor or a location."""

    name: str  # without Ray's prefix; of counters it ends in _total
    kind: Kind
    unit: str
    meaning: str
    roles: tuple[Role, ...] = ("driver",)  # processes that export it
    labels: Mapping[str, str] = field(default_factory=dict)  # and their values

    @property
    def exported_name(self) -> str:
        """The name in Prometheus."""
        return PREFIX + self.name


VIDEOS = Metric(
    name="stcn_videos_total",
    kind="counter",
    unit="videos",
    meaning="videos whose outcome is committed",
    labels={"outcome": "`done`, `quarantined`"},
)
VIDEO_ERRORS = Metric(
    name="stcn_video_errors_total",
    kind="counter",
    unit="tries",
    meaning="tries of videos that failed, when the driver hears of them",
    labels={"error": "the error's class, as in a video's row", "outcome": "`retried`, `quarantined`"},
)
FRAMES = Metric(name="stcn_frames_total", kind="counter", unit="frames", meaning="frames that were segmented")
FRAMES_AGAIN = Metric(
    name="stcn_frames_again_total",
    kind="counter",
    unit="frames",
    meaning="frames that scans for cuts and cycle checks went through, which make no masks",
)
DAMAGED_FRAMES = Metric(
    name="stcn_damaged_frames_total",
    kind="counter",
    unit="frames",
    meaning="frames that the decoder missed or called damaged, of videos that were segmented all the same",
    labels={"damage": "`missing`, `corrupt`"},
)
VIDEOS_PLANNED = Metric(
    name="stcn_videos_planned", kind="gauge", unit="videos", meaning="videos that the run set out to segment"
)
VIDEOS_LEFT = Metric(
    name="stcn_videos_left", kind="gauge", unit="videos", meaning="those of them whose outcome is not committed yet"
)
FRAMES_LEFT = Metric(
    name="stcn_frames_left", kind="gauge", unit="frames", meaning="frames that are still to be segmented, estimated"
)
LEFT_SECONDS = Metric(
    name="stcn_left_seconds",
    kind="gauge",
    unit="seconds",
    meaning="time that is left, estimated; absent before the first frame",
)
SHARDS_WAITING = Metric(
    name="stcn_shards_waiting", kind="gauge", unit="shards", meaning="shards that no actor was given yet"
)
ACTORS = Metric(
    name="stcn_actors",
    kind="gauge",
    unit="actors",
    meaning="actors that the run wants, by how far they are",
    labels={"state": "`waiting` for a node, `loading` the model, `compiling` it, `idle`, `busy`"},
)
EVENT_WAIT_SECONDS = Metric(
    name="stcn_event_wait_seconds",
    kind="gauge",
    unit="seconds",
    meaning="the longest time of the last minute that the driver did not ask for events",
)
COMMITS_WAITING = Metric(
    name="stcn_commits_waiting",
    kind="gauge",
    unit="shards",
    meaning="finished shards whose commit waits or is under way; above 256 no shard is begun",
)
COMMIT_LAG_SECONDS = Metric(
    name="stcn_commit_lag_seconds",
    kind="gauge",
    unit="seconds",
    meaning="age of the oldest of them; 0 if there is none",
)
STAGE_SECONDS = Metric(
    name="stcn_stage_seconds_total",
    kind="counter",
    unit="seconds",
    meaning="time of the threads that fetch, decode and segment",
    roles=("actor",),
    labels={
        "stage": "`fetch`, `decode`: in threads of their own, ahead of the network; `propagate`, `encode`, `upload`, "
        "`wait_video`, `wait_frame`: of the segmenting thread"
    },
)
STORAGE_BYTES = Metric(
    name="stcn_storage_bytes_total",
    kind="counter",
    unit="bytes",
    meaning="content of files that were read or written; tries that failed and listings are not in it",
    roles=("driver", "actor"),
    labels={"direction": "`in`, `out`", "store": "the location's scheme, such as `s3`; `file` for paths"},
)
STORAGE_RETRIES = Metric(
    name="stcn_storage_retries_total",
    kind="counter",
    unit="requests",
    meaning="storage operations that failed and were tried again",
    roles=("driver", "actor"),
    labels={"operation": "such as `read`, `write`, `fetch`", "store": "as above"},
)

METRICS = (
    VIDEOS,
    VIDEO_ERRORS,
    FRAMES,
    FRAMES_AGAIN,
    DAMAGED_FRAMES,
    VIDEOS_PLANNED,
    VIDEOS_LEFT,
    FRAMES_LEFT,
    LEFT_SECONDS,
    SHARDS_WAITING,
    ACTORS,
    EVENT_WAIT_SECONDS,
    COMMITS_WAITING,
    COMMIT_LAG_SECONDS,
    STAGE_SECONDS,
    STORAGE_BYTES,
    STORAGE_RETRIES,
)
