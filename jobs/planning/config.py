"""What a run is told: one frozen dataclass, whose fields are the flags of `stcn segment`."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from jobs.errors import UserError
from jobs.inputs.limits import ProcessLimits, VideoLimits, VideoRequirements
from jobs.io import storage
from jobs.io.policy import RETRY_SECONDS
from jobs.segmenting.scene_clips import ClipOptions
from stcn_core.config import ModelConfig, PropagationConfig

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Options of one run. None for a propagation option means the network's published default."""

    manifest: str  # a table of videos, or a DAVIS / YouTube-VOS tree
    output: str  # folder or URL prefix
    model: str = "stcn-mini"  # a shipped model's name, a path, or a URL
    model_sha256: str | None = None  # refuse a model file with another digest
    device: str = "auto"  # "cpu", "cuda", or "auto": cuda where an actor has a GPU
    precision: str = "auto"  # "float32", "bfloat16", or "auto": bfloat16 where matrix units compute it
    actors: int | None = None  # processes with a model each; None: as many as GPUs, or one on CPUs
    num_gpus_per_actor: float | None = None  # None: 1 where the cluster has GPUs, else 0
    threads_per_actor: int | None = None  # None: an even share of the CPUs; the same number gives the same bits
    memory_every: int | None = None
    top_k: int | None = None
    include_last: bool | None = None
    max_memory_frames: int | None = None
    memory_policy: str | None = None
    direction: str = "forward"  # from each prompt; "backward", or "both"
    on_cut: str = "keep"  # masks go on across scene cuts; "stop": the video ends there; "split": scenes are clips
    cycle_check: bool = False  # carry last masks back to their prompts, and note how they compare
    short_side: int = 480  # 0: never scale down
    frames_per_shard: int = 4000  # expected frames that are committed together, about 10 minutes on a CPU
    max_attempts: int = 3  # times that a video is tried before it is quarantined
    max_failures: int | None = None  # end early if a run quarantines more videos than this; None: never
    strict: bool = False  # quarantine videos with damaged or missing frames
    max_pixels: int = VideoLimits.max_pixels  # of a frame
    max_frames: int = VideoLimits.max_frames  # of a video
    stall_seconds: float = ProcessLimits.stall_seconds  # that a video may bring no frame before its process is ended
    max_video_seconds: float = ProcessLimits.video_seconds  # that a video may take before its process is ended
    memory_per_actor: float | None = None  # GiB; None: an even share of its node's
    allow: list[str] | None = None  # prefixes that videos and prompts must lie under; None: see `inputs.allowlist`
    single_writer: bool = False  # for a store that ignores create-only writes: the user sees to it
    storage_patience: float = RETRY_SECONDS  # for how long a failing request is tried again
    verify_downloads: bool = False  # download objects twice where the store says nothing of their content

    def __post_init__(self) -> None:
        _require(self.device in ("auto", "cpu", "cuda"), "--device", self.device, legal="auto, cpu, cuda")
        _require(self.precision in PRECISIONS, "--precision", self.precision, legal=", ".join(PRECISIONS))
        _require(self.actors is None or self.actors >= 1, "--actors", self.actors, legal="1 or more")
        gpus = self.num_gpus_per_actor
        legal = gpus is None or 0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer())
        _require(legal, "--num-gpus-per-actor", gpus, legal="0 to 1, such as 0.5, or a whole number")
        _require(not (self.device == "cpu" and gpus), "--num-gpus-per-actor", gpus, legal="0 with --device cpu")
        threads = self.threads_per_actor
        _require(threads is None or threads >= 1, "--threads-per-actor", threads, legal="1 or more")
        _require(self.frames_per_shard >= 1, "--frames-per-shard", self.frames_per_shard, legal="1 or more")
        _require(self.max_attempts >= 1, "--max-attempts", self.max_attempts, legal="1 or more")
        failures = self.max_failures
        _require(failures is None or failures >= 0, "--max-failures", failures, legal="0 or more")
        for name in ("max_pixels", "max_frames", "stall_seconds", "max_video_seconds", "storage_patience"):
            _require(getattr(self, name) > 0, f"--{name.replace('_', '-')}", getattr(self, name), legal="more than 0")
        memory = self.memory_per_actor
        _require(memory is None or memory > 0, "--memory-per-actor", memory, legal="more than 0 GiB")
        _require(
            self.short_side == 0 or self.short_side >= 16, "--short-side", self.short_side, legal="16 or more; 0: never"
        )
        _require(self.top_k is None or self.top_k >= 0, "--top-k", self.top_k, legal="1 or more; 0: all")
        for name in ("manifest", "output"):  # actors have working folders of their own
            object.__setattr__(self, name, storage.absolute(getattr(self, name)))
        if self.allow is not None:
            object.__setattr__(self, "allow", [storage.absolute(prefix) for prefix in self.allow])
        _require(
            not (self.cycle_check and self.direction == "backward"),
            "--cycle-check", f"with --direction {self.direction}", legal="forward, both",
        )  # fmt: skip
        self.clip_options()
        try:
            self.propagation(ModelConfig())
        except ValueError as error:
            raise UserError(str(error)) from error

    def propagation(self, network: ModelConfig) -> PropagationConfig:
        """The propagation options for a network: its defaults, and what was given."""
        return PropagationConfig.for_config(network, **self.given_options())

    def given_options(self) -> dict[str, Any]:
        """Propagation options that were given."""
        names = ("memory_every", "top_k", "include_last", "max_memory_frames", "memory_policy")
        options = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in options.items() if value is not None}
        for name in ("top_k", "max_memory_frames"):
            if given.get(name) == 0:
                given[name] = None
        return given | {"short_side": self.short_side or None, "direction": self.direction}

    def clip_options(self) -> ClipOptions:
        """What is done with scenes and tracks."""
        return ClipOptions(self.on_cut, self.cycle_check)  # type: ignore[arg-type]

    def demands(self) -> VideoRequirements:
        """What each video must keep to."""
        return VideoRequirements(VideoLimits(self.max_pixels, self.max_frames), self.strict)

    def as_dict(self) -> dict[str, Any]:
        """For run.json."""
        return dataclasses.asdict(self)


def _require(holds: bool, flag: str, value: object, *, legal: str) -> None:
    if not holds:
        raise UserError(f"{flag} {value} is not usable; legal: {legal}")
