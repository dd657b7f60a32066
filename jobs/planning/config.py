"""The options of a run: one frozen dataclass. Each field is an option of `stcn segment`, checked by pydantic."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from jobs.errors import UserError
from jobs.inputs.limits import OnBadFrame, ProcessLimits, VideoLimits, VideoRequirements
from jobs.inputs.prompts.leniency import Leniency, OnBadAnnotation, OnOverlap
from jobs.inputs.videos.decoding import Decoder
from jobs.io import storage
from jobs.io.storage_policy import RETRY_SECONDS
from jobs.options import Option, config_class, zero_or
from jobs.segmenting.scene_clips import ClipOptions, OnCut
from jobs.segmenting.work_item import VideoOptions
from stcn_core.config import Direction, HasDefaults, PropagationConfig
from stcn_core.memory.eviction import policy_names

MANIFEST, MODEL, MEMORY, VIDEOS = "Manifest", "Model", "Memory", "Videos"
CLUSTER, COST, FAILURES, STORAGE = "Cluster", "Cost", "Failures", "Storage"
PROPAGATION_OPTIONS = ("memory_every", "top_k", "include_last", "max_memory_frames", "memory_policy")
NO_DAMAGE_ON_GPU = "A GPU's decoder is used for networks on that GPU, and hides damage within pictures"
OF_ONE_RUN = ("only", "redo", "recheck")  # that the next run does not take over
UNBOUNDED_AT_ZERO = ("top_k", "max_memory_frames")
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int | None, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
PositiveOrNone = Annotated[float | None, Field(gt=0)]


def _whole_above_one(gpus: float | None) -> float | None:
    """Ray shares one GPU among actors, and gives several to one actor only whole."""
    if gpus is not None and gpus > 1 and not gpus.is_integer():
        raise ValueError("several GPUs are given whole")
    return gpus


@config_class
class SegmentConfig:
    """Options of one run. None for a memory option means the network's published default."""

    manifest: Annotated[str, Option("Table of videos (.parquet, .csv, .jsonl), or a DAVIS or YouTube-VOS tree.")]
    output: Annotated[str, Option("Folder or URL prefix to write the masks to.")]

    only: Annotated[
        list[str] | None,
        Option("Segment this video of the manifest alone. Repeatable.", MANIFEST, unset="all videos"),
    ] = None
    redo: Annotated[
        list[str] | None,
        Option("Segment this video again, though it is done. Repeatable.", MANIFEST, unset="none"),
    ] = None

    model: Annotated[str, Option("Network: the name of a shipped model, a path, or a URL.", MODEL)] = "stcn-mini"
    model_sha256: Annotated[str | None, Option("Refuse a model file whose SHA-256 digest differs.", MODEL)] = None
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Option("Where networks run; auto: on a GPU if the actor has one.", MODEL),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Option(
            "Number format of the network; auto: bfloat16 on GPUs and CPUs that have it, float16 on older GPUs, else "
            "float32.",
            MODEL,
        ),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "off"],
        Option(
            "Compile the network for the GPU before the first video; auto: where a compiler is. Later runs find it on "
            "the machine's disk.",
            MODEL,
        ),
    ] = "auto"

    decoder: Annotated[
        Decoder,
        Option(
            "What decodes video files; auto: the CPU, or a GPU's own decoder where the actor's CPUs are too few.",
            MODEL,
            run_only=True,
        ),
    ] = "auto"

    memory_every: Annotated[CountOrNone, Option("Memorise every Nth frame.", MEMORY, unset="5", per_video=True)] = None
    top_k: Annotated[
        int | None,
        Field(ge=0),
        Option(
            "Memory positions that each position of a frame attends to.",
            MEMORY,
            unset="STCN: 20, STM: all, stcn-mini: 5",
            legal="1 or more; 0: all",
            per_video=True,
        ),
    ] = None
    similarity: Annotated[
        str | None,
        Option(
            "How the keys of a frame and of memory are compared: l2, cosine, dot, or a registered name.",
            MEMORY,
            unset="the model's own",
        ),
    ] = None
    include_last: Annotated[
        bool | None,
        Option("Keep the previous frame in memory as well.", MEMORY, unset="STCN: no, STM: yes", per_video=True),
    ] = None
    max_memory_frames: Annotated[
        int | None,
        zero_or(2),
        Option(
            "Keep at most this many frames in memory; prompted frames always stay.",
            MEMORY,
            unset="64",
            legal="2 or more; 0: no bound",
            per_video=True,
        ),
    ] = None
    memory_policy: Annotated[
        str | None,
        Option(
            "Frames that stay when memory is full: the latest (recent), evenly spread ones (spread), or the ones "
            "attended to most (used).",
            MEMORY,
            unset="spread",
            names=policy_names,
            per_video=True,
        ),
    ] = None

    direction: Annotated[
        Direction,
        Option(
            "Carry masks from each prompt forward, backward, or both ways; both fuses the two masks of a frame "
            "between two prompts.",
            VIDEOS,
            per_video=True,
        ),
    ] = "forward"
    on_cut: Annotated[
        OnCut,
        Option(
            "At a scene cut, carry masks on (keep), end the video (stop), or segment each scene as a clip of its "
            "own (split).",
            VIDEOS,
            per_video=True,
        ),
    ] = "keep"
    cycle_check: Annotated[
        bool,
        Option(
            "Carry each object's last mask back to its prompt, and store the IoU of the two.", VIDEOS, per_video=True
        ),
    ] = False
    short_side: Annotated[
        int,
        zero_or(16),
        Option(
            "Scale frames down so that the shorter side has at most this many pixels.",
            VIDEOS,
            legal="16 or more; 0: never scale down",
            per_video=True,
        ),
    ] = 480
    on_bad_annotation: Annotated[
        OnBadAnnotation,
        Option(
            "With a mask among the prompts that cannot be used, refuse the video, or skip that mask and note it.",
            VIDEOS,
            per_video=True,
        ),
    ] = "refuse"
    overlap: Annotated[
        OnOverlap,
        Option(
            "Where masks of two objects overlap by more than 5 %, refuse the video, or give the pixels to the object "
            "of the higher id, the smaller one, or the later or first one of the file.",
            VIDEOS,
            per_video=True,
        ),
    ] = "refuse"
    on_bad_frame: Annotated[
        OnBadFrame,
        Option(
            "In a folder of images, let an image that cannot be read or has another size fail the video (refuse), or "
            "put the frame before it in its place (repeat).",
            VIDEOS,
        ),
    ] = VideoLimits.on_bad_frame
    max_pixels: Annotated[
        Count, Option("Quarantine videos whose frames have more pixels than this.", VIDEOS, run_only=True)
    ] = VideoLimits.max_pixels
    max_frames: Annotated[Count, Option("Quarantine videos with more frames than this.", VIDEOS, run_only=True)] = (
        VideoLimits.max_frames
    )

    actors: Annotated[
        CountOrNone,
        Option(
            "Exactly so many actors: processes that each hold a model.",
            CLUSTER,
            unset="one per GPU; without GPUs, one per 4 CPUs",
        ),
    ] = None
    min_actors: Annotated[
        CountOrNone,
        Option(
            "Ask for so many actors at least, though nodes for fewer are up; never for more than there is work.",
            CLUSTER,
            unset="1",
            run_only=True,
        ),
    ] = None
    max_actors: Annotated[
        CountOrNone,
        Option(
            "Have so many actors at most.",
            CLUSTER,
            unset="all that fit on the nodes that are up or that the cluster's autoscaler adds",
            run_only=True,
        ),
    ] = None
    num_gpus_per_actor: Annotated[
        float | None,
        Field(ge=0),
        AfterValidator(_whole_above_one),
        Option(
            "GPUs of each actor.",
            CLUSTER,
            unset="1 if the cluster has GPUs, else 0",
            legal="0 to 1, such as 0.5, or a whole number",
            run_only=True,
        ),
    ] = None
    threads_per_actor: Annotated[
        CountOrNone,
        Option(
            "CPU threads of each actor; with equal numbers, masks of videos that share no calls are equal bit for bit.",
            CLUSTER,
            unset="an even share of the CPUs",
        ),
    ] = None
    clips_per_actor: Annotated[
        Literal["auto"] | Count,
        Option(
            "Videos that an actor segments at once, which share each call of the network, and so change each other's "
            "masks by rounding; auto: 1 on a CPU, and on a GPU 8, or fewer where the actor has less than 4 cores or "
            "8 GiB.",
            CLUSTER,
            legal="1 or more, or auto",
            run_only=True,
        ),
    ] = "auto"
    memory_per_actor: Annotated[
        float | None,
        Field(gt=0),
        Option(
            "End an actor that holds more GiB of memory than this.",
            CLUSTER,
            unset="an even share of its node's",
            legal="more than 0 GiB",
            run_only=True,
        ),
    ] = None
    frames_per_shard: Annotated[
        Count,
        Option(
            "Commit videos in groups of about this many frames; 4000 frames take about 10 minutes on a CPU.", CLUSTER
        ),
    ] = 4000

    frames_per_second: Annotated[
        PositiveOrNone,
        Option(
            "Frames that one actor segments in a second, from which hours and cost are expected.",
            COST,
            unset="as measured on the output's videos that are done",
        ),
    ] = None
    price_per_hour: Annotated[
        PositiveOrNone,
        Option("Price of one actor for an hour: of its GPU, or its share of a machine.", COST, unset="not known"),
    ] = None

    max_attempts: Annotated[Count, Option("Quarantine a video after this many attempts.", FAILURES, run_only=True)] = 3
    max_failures: Annotated[
        int | None,
        Field(ge=0),
        Option(
            "End the run once more videos than this are quarantined.", FAILURES, unset="never end early", run_only=True
        ),
    ] = None
    strict: Annotated[bool, Option("Quarantine videos with damaged or missing frames.", FAILURES)] = False
    stall_seconds: Annotated[
        Positive, Option("End an actor whose video yields no frame for this many seconds.", FAILURES, run_only=True)
    ] = ProcessLimits.stall_seconds
    max_video_seconds: Annotated[
        Positive,
        Option("End an actor whose video takes more seconds than this, shared ones included.", FAILURES, run_only=True),
    ] = ProcessLimits.video_seconds

    allow: Annotated[
        list[str] | None,
        Option(
            "Read videos and prompts only below this path or URL prefix. Repeatable.",
            STORAGE,
            unset="paths and object stores, no web addresses",
        ),
    ] = None
    single_writer: Annotated[
        bool,
        Option(
            "Accept storage that ignores create-only writes. You must then start only one run at a time.",
            STORAGE,
            run_only=True,
        ),
    ] = False
    storage_patience: Annotated[
        Positive, Option("Retry a failing storage request for this many seconds.", STORAGE, run_only=True)
    ] = RETRY_SECONDS
    recheck: Annotated[
        bool,
        Option(
            "Ask storage again for all videos that are done, also for those that lie apart from others, whose answers "
            "an earlier run kept. A video whose size and ETag the manifest gives is never asked for.",
            STORAGE,
        ),
    ] = False
    verify_downloads: Annotated[
        bool, Option("Download an object twice if the store offers no checksum of its content.", STORAGE)
    ] = False
    compact_at_end: Annotated[
        bool,
        Option("At the end, merge small files of masks, as `stcn compact` does.", STORAGE, run_only=True),
    ] = False

    def __post_init__(self) -> None:
        if self.device == "cpu" and self.num_gpus_per_actor:
            raise UserError(f"--num-gpus-per-actor {self.num_gpus_per_actor} is not usable; legal: 0 with --device cpu")
        self._check_actors()
        if self.decoder == "cuda" and (other := "--device cpu" if self.device == "cpu" else "--strict" * self.strict):
            raise UserError(f"--decoder cuda is not usable with {other}; legal: auto, cpu. {NO_DAMAGE_ON_GPU}")
        if self.cycle_check and self.direction == "backward":
            raise UserError("--cycle-check with --direction backward is not usable; legal: forward, both")
        for name in ("manifest", "output"):  # actors have working folders of their own
            object.__setattr__(self, name, storage.absolute(getattr(self, name)))
        if self.allow is not None:
            object.__setattr__(self, "allow", [storage.absolute(prefix) for prefix in self.allow])

    def _check_actors(self) -> None:
        least, most = self.min_actors, self.max_actors
        if self.actors and (least or most):
            raise UserError(f"--actors {self.actors} fixes the number; leave --min-actors and --max-actors out")
        if least and most and least > most:
            raise UserError(f"--min-actors {least} is not usable; legal: 1 to {most}, as --max-actors is {most}")

    def propagation(self, model: HasDefaults) -> PropagationConfig:
        """The propagation options of a run: the network's defaults, overridden by the options that are set."""
        values = {name: getattr(self, name) for name in PROPAGATION_OPTIONS}
        options = {name: value for name, value in values.items() if value is not None}
        options |= {name: None for name in UNBOUNDED_AT_ZERO if options.get(name) == 0}
        options |= {"short_side": self.short_side or None, "direction": self.direction}
        return PropagationConfig.for_model(model, **options)

    def video_options(self, model: HasDefaults) -> VideoOptions:
        """The options of a video that the manifest sets none for."""
        return VideoOptions(
            propagation=self.propagation(model),
            clips=ClipOptions(self.on_cut, self.cycle_check),
            leniency=Leniency(on_bad_annotation=self.on_bad_annotation, overlap=self.overlap),
            requirements=self.demands(),
        )

    def demands(self) -> VideoRequirements:
        """The requirements that each video must meet."""
        return VideoRequirements(VideoLimits(self.max_pixels, self.max_frames, self.on_bad_frame), self.strict)

    def as_dict(self) -> dict[str, Any]:
        """The options as run.json stores them, for the next run: without the choice of videos of this one."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in OF_ONE_RUN}
