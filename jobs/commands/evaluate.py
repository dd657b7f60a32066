"""Score an output against true masks: J and F as davis2017-evaluation computes them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from jobs.concurrency.process_map import process_map
from jobs.errors import PromptError, UserError
from jobs.inputs.prompts.names.frame_names import called
from jobs.io import storage
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.outputs.selection_folder import is_selection
from jobs.outputs.stored_masks import VideoMasks
from jobs.records import VideoRow
from jobs.scores.comparison import compare
from jobs.scores.config import EvaluateConfig
from jobs.scores.rules import Rules, rules
from jobs.scores.scoring import VideoScores, score_video
from jobs.scores.summary import as_json, format_comparison, format_scores, format_trust
from jobs.scores.tables import Scores, holds_scores, read_scores, write_scores
from jobs.scores.true_frames import VideoFrames
from jobs.scores.trust_curves import check_combinations, trust_curves
from jobs.scores.truth import TruthTree, open_truth

MAX_REASONS = 5  # that a message lists


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    text: str  # the report
    failures: Mapping[str, str]  # video id -> why its true masks could not be used


@dataclass(frozen=True)
class _TruthOfVideo:
    folder: str  # location of its true masks
    video: VideoFrames


@dataclass(frozen=True)
class _Failure:
    """A video whose true masks cannot be used."""

    video_id: str
    reason: str


Call = tuple[VideoMasks, _TruthOfVideo, Rules]


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Score an output, write and compare the scores, and return the report. Raises UserError."""
    check_combinations(config.combine or ())
    _check_scores_folder(config.scores)
    _check_use_of_truth(config)
    scores = _load_scores(config.output, config)
    if config.scores is not None:
        write_scores(config.scores, scores)
    other = None if config.against is None else _load_scores(config.against, config)
    comparison = None if other is None else compare(scores, other)
    curves = trust_curves(scores.frames, config.combine or ()) if config.trust else None
    if config.json:
        return Evaluation(json.dumps(as_json(scores, comparison, curves), allow_nan=False), scores.failures)
    sections = [format_scores(scores) if comparison is None else format_comparison(comparison)]
    if curves is not None:
        sections.append(format_trust(curves))
    return Evaluation("\n\n".join(sections), scores.failures)


def _check_scores_folder(location: str | None) -> None:
    """Refuse to write scores where they would be taken for those of an output, or replace a file."""
    if location is None:
        return
    if _is_file(location):
        raise UserError(f"--scores {location} is a file; legal: a folder, new or with earlier scores")
    if _is_output(location):
        raise UserError(f"--scores {location} is an output; legal: a folder of its own, new or with earlier scores")


def _is_output(location: str) -> bool:
    return storage.exists(storage.join(location, store.RUN_FILE)) or storage.exists(storage.join(location, "masks"))


def _is_file(location: str) -> bool:
    try:
        return storage.stat(location) is not None
    except FileNotFoundError:
        return False


def _check_use_of_truth(config: EvaluateConfig) -> None:
    """Refuse a truth that scores nothing: the report would be taken for one of it."""
    locations = [config.output, *([config.against] if config.against else [])]
    if config.truth is not None and all(_is_scored(location) for location in locations):
        raise UserError(
            f"--truth {config.truth}: {' and '.join(locations)} hold scores already, which need no truth; legal: an "
            "output, or no --truth"
        )


def _is_scored(location: str) -> bool:
    return holds_scores(location) and not _is_output(location)


def _load_scores(location: str, config: EvaluateConfig) -> Scores:
    """Read the scores in a folder, or score an output."""
    if _is_scored(location):
        return read_scores(location)
    if config.truth is None:
        raise UserError(f"{location} holds no scores; give --truth to score its masks")
    workers = len(os.sched_getaffinity(0)) if config.workers is None else config.workers
    return evaluate_output(
        location,
        config.truth,
        config.protocol,
        void=config.void,
        first_frame=config.first_frame,
        workers=workers,
    )


def evaluate_output(
    output: str, truth: str, protocol: str = "auto", *, void: str = "ignore", first_frame: int = 0, workers: int = 1
) -> Scores:
    """Score every object of every video that has a folder of true masks, `workers` videos at a time.

    output: of a run, or a selection, of which only the stored masks are scored. truth: see `TruthTree`; a true mask
    belongs to the frame of its name. first_frame: the number that these names give a video file's first frame.
    protocol, void: see `rules`; the protocol "auto" is that of the tree. A video whose true masks cannot be used is
    among the failures. Raises UserError if no video can be scored.
    """
    tree = TruthTree(truth)
    chosen = rules(tree.protocol if protocol == "auto" else protocol, void, only_given=is_selection(output))
    if workers < 1:
        raise UserError(f"--workers {workers} is not usable; legal: 1 or more")
    scored: set[str] = set()
    calls = _calls(output, tree, chosen, first_frame=first_frame, scored=scored)
    head = list(islice(calls, workers))
    calls = chain(head, calls)
    results = list(process_map(_score, calls, len(head)) if len(head) > 1 else (_score(*call) for call in calls))
    videos = [result for result in results if isinstance(result, VideoScores)]
    failures = {result.video_id: result.reason for result in results if isinstance(result, _Failure)}
    with_scores = sorted((video for video in videos if video.objects), key=lambda video: video.objects[0].video_id)
    too_late = sorted(pair for video in videos for pair in video.too_late)
    if not with_scores:
        raise UserError(_nothing_scored(output, tree, failures, too_late=[video_id for video_id, _ in too_late]))
    return Scores(
        objects=[score for video in with_scores for score in video.objects],
        frames=pa.concat_tables(video.frames for video in with_scores),
        unscored=sorted(tree.names - scored),
        failures=failures,
        too_late=too_late,
    )


def _nothing_scored(output: str, tree: TruthTree, failures: Mapping[str, str], *, too_late: Sequence[str]) -> str:
    """Explain why no video has scores."""
    reasons = [f"the true masks of {name!r} cannot be used: {reason}" for name, reason in failures.items()]
    late = dict.fromkeys(too_late)
    reasons += [f"the objects of {name!r} are first shown on the last frame that counts" for name in late]
    if not reasons:
        reasons = [f"true masks of none of the videos of {output} that have masks; legal: a folder for each"]
    return f"--truth {tree.location}: " + "; ".join(reasons[:MAX_REASONS])


def _calls(output: str, tree: TruthTree, chosen: Rules, *, first_frame: int, scored: set[str]) -> Iterator[Call]:
    """Arguments of `_score` for each video with true masks. Adds the names of their folders to `scored`."""
    rows = {row.video_id: row for row in store.read_videos(storage.join(output, store.VIDEOS_FILE))}
    for number, masks in enumerate(masks_by_video(output)):
        if number and tree.is_one_video:
            raise UserError(
                f"--truth {tree.location} holds the masks of one video, {output} several; legal: a folder for each"
            )
        name = tree.name_of(masks.video_id)
        if name is not None:
            scored.add(name)
            video = _frames_of(masks.video_id, rows.get(masks.video_id), first_frame)
            yield masks, _TruthOfVideo(tree.folder(name), video), chosen


def _frames_of(video_id: str, row: VideoRow | None, first_frame: int) -> VideoFrames:
    """What the output says of a video's frames: their number, where segmentation decoded all of them to the end."""
    if row is None:
        return VideoFrames(names=(video_id,), first_number=first_frame)
    count = None
    if row.start is not None and row.end is None and row.frames_decoded and row.frames_expected == row.frames_decoded:
        end = row.start + row.frames_decoded
        count = None if row.cuts and end <= row.cuts[-1] else end  # with --on-cut stop, the rest was left out
    return VideoFrames(count=count, names=tuple(called(video_id, row.video)), first_number=first_frame)


def _score(masks: VideoMasks, truth: _TruthOfVideo, chosen: Rules) -> VideoScores | _Failure:
    """Score one video, in this process or another."""
    with TemporaryDirectory(prefix="stcn-") as local:
        try:
            return score_video(masks, open_truth(truth.folder, Path(local)), chosen, video=truth.video)
        except PromptError as error:
            return _Failure(masks.video_id, str(error))
