"""The options of `stcn segment`, which `plan` and `retry` share: types, and what `--help` says."""

from typing import Annotated

import typer

Manifest = Annotated[
    str, typer.Argument(help="Table of videos (.parquet, .csv, .jsonl), or a DAVIS / YouTube-VOS tree.")
]
Output = Annotated[str, typer.Argument(help="Folder or URL prefix for the masks.")]
Model = Annotated[str, typer.Option(help="A shipped model's name, a path, or a URL.")]
Sha256 = Annotated[str | None, typer.Option(help="Refuse a model file with another digest.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Precision = Annotated[str, typer.Option(help="auto, float32 or bfloat16; auto: bfloat16 on GPUs and CPUs with AMX.")]
Actors = Annotated[int | None, typer.Option(help="Processes with a model each. (default: one a GPU; one for 4 CPUs)")]
Gpus = Annotated[float | None, typer.Option(help="GPUs for each actor, such as 0.5. (default: 1 if there are any)")]
Threads = Annotated[int | None, typer.Option(help="CPU threads of each actor. (default: an even share)")]
MemoryEvery = Annotated[int | None, typer.Option(help="Frames between memory frames. (default: 5)")]
TopK = Annotated[
    int | None, typer.Option(help="Memory positions attended to. (default: STCN 20, STM all, stcn-mini 5); 0: all")
]
IncludeLast = Annotated[
    bool | None, typer.Option(help="Keep the previous frame in memory too. (default: STCN no, STM yes)")
]
Direction = Annotated[
    str, typer.Option(help="forward, backward or both: where masks go from a prompt; between two of both, fused.")
]
OnCut = Annotated[
    str, typer.Option(help="At a scene cut: keep (masks go on), stop (the video ends), split (each scene is a clip).")
]
CycleCheck = Annotated[
    bool, typer.Option("--cycle-check", help="Carry last masks back to their prompts, and note how they compare.")
]
ShortSide = Annotated[int, typer.Option(help="Scale frames with a longer short side down to it; 0: never.")]
FramesPerShard = Annotated[int, typer.Option(help="Expected frames that are committed together.")]
MaxAttempts = Annotated[int, typer.Option(help="Times that a video is tried before it is quarantined.")]
MaxFailures = Annotated[int | None, typer.Option(help="End early over so many quarantined videos. (default: never)")]
Strict = Annotated[bool, typer.Option("--strict", help="Quarantine videos with damaged or missing frames.")]
MaxPixels = Annotated[int, typer.Option(help="Of a frame.")]
MaxFrames = Annotated[int, typer.Option(help="Of a video.")]
StallSeconds = Annotated[float, typer.Option(help="That a video may bring no frame before its process is ended.")]
MaxVideoSeconds = Annotated[float, typer.Option(help="That a video may take before its process is ended.")]
Memory = Annotated[float | None, typer.Option(help="GiB that an actor may hold. (default: an even share of its node)")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="Prefix that videos and prompts must lie under; may be repeated. (default: no web addresses)"),
]
SingleWriter = Annotated[
    bool, typer.Option("--single-writer", help="Work on a store that ignores create-only writes: one run at a time!")
]
StoragePatience = Annotated[float, typer.Option(help="Seconds that a failing request to storage is tried again.")]
VerifyDownloads = Annotated[
    bool, typer.Option("--verify-downloads", help="Download objects twice whose content S3 has no checksum of.")
]
MaxMemoryFrames = Annotated[int | None, typer.Option(help="Memory frames at most; 0: no bound. (default: 64)")]
MemoryPolicy = Annotated[
    str | None, typer.Option(help="Which memory frames stay: recent, spread, used. (default: spread)")
]
