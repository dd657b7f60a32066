"""Score an output against true masks: J and F as davis2017-evaluation computes them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from jobs.concurrency.process_map import process_map
from jobs.errors import PromptError, UserError
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.selection_folder import is_selection
from jobs.outputs.stored_masks import VideoMasks, masks_by_video
from jobs.records import VideoRow
from jobs.scores.comparison import compare
from jobs.scores.config import EvaluateConfig
from jobs.scores.rules import Rules, rules
from jobs.scores.scoring import VideoScores, score_video
from jobs.scores.summary import as_json, format_comparison, format_scores, format_trust
from jobs.scores.tables import Scores, holds_scores, read_scores, write_scores
from jobs.scores.trust_curves import check_combinations, trust_curves
from jobs.scores.truth import TruthTree, open_truth


@dataclass(frozen=True)
class _TruthOfVideo:
    folder: str  # location of its true masks
    frames: int | None  # of the video, as far as the output knows


Call = tuple[VideoMasks, _TruthOfVideo, Rules]


def evaluate(config: EvaluateConfig) -> str:
    """Score an output, write and compare the scores, and return the report. Raises UserError."""
    check_combinations(config.combine or ())
    if config.scores is not None and _is_file(config.scores):
        raise UserError(f"--scores {config.scores} is a file; legal: a folder, new or with earlier scores")
    scores = _load_scores(config.output, config)
    if config.scores is not None:
        write_scores(config.scores, scores)
    other = None if config.against is None else _load_scores(config.against, config)
    comparison = None if other is None else compare(scores, other)
    curves = trust_curves(scores.frames, config.combine or ()) if config.trust else None
    if config.json:
        return json.dumps(as_json(scores, comparison, curves), allow_nan=False)
    sections = [format_scores(scores) if comparison is None else format_comparison(comparison)]
    if curves is not None:
        sections.append(format_trust(curves))
    return "\n\n".join(sections)


def _is_file(location: str) -> bool:
    try:
        return storage.stat(location) is not None
    except FileNotFoundError:
        return False


def _load_scores(location: str, config: EvaluateConfig) -> Scores:
    """Read the scores in a folder, or score an output."""
    if holds_scores(location):
        return read_scores(location)
    if config.truth is None:
        raise UserError(f"{location} holds no scores; give --truth to score its masks")
    workers = len(os.sched_getaffinity(0)) if config.workers is None else config.workers
    return evaluate_output(location, config.truth, config.protocol, void=config.void, workers=workers)


def evaluate_output(
    output: str, truth: str, protocol: str = "auto", *, void: str = "ignore", workers: int = 1
) -> Scores:
    """Score every object of every video that has a folder of true masks, `workers` videos at a time.

    output: of a run, or a selection, of which only the stored masks are scored. truth: see `TruthTree`; a true mask
    belongs to the frame of its name.
    protocol, void: see `rules`; the protocol "auto" is that of the tree. Raises UserError.
    """
    tree = TruthTree(truth)
    chosen = rules(tree.protocol if protocol == "auto" else protocol, void, only_given=is_selection(output))
    if workers < 1:
        raise UserError(f"--workers {workers} is not usable; legal: 1 or more")
    scored: set[str] = set()
    calls = _calls(output, tree, chosen, scored=scored)
    head = list(islice(calls, workers))
    calls = chain(head, calls)
    results = process_map(_score, calls, len(head)) if len(head) > 1 else (_score(*call) for call in calls)
    videos = list(results)
    with_scores = sorted((video for video in videos if video.objects), key=lambda video: video.objects[0].video_id)
    if not with_scores:
        raise UserError(f"--truth {truth} has true masks of none of the videos of {output}; legal: a folder for each")
    objects = [score for video in with_scores for score in video.objects]
    frames = pa.concat_tables(video.frames for video in with_scores)
    too_late = sorted(pair for video in videos for pair in video.too_late)
    return Scores(objects=objects, frames=frames, unscored=sorted(tree.names - scored), too_late=too_late)


def _calls(output: str, tree: TruthTree, chosen: Rules, *, scored: set[str]) -> Iterator[Call]:
    """Arguments of `_score` for each video with true masks. Adds the names of their folders to `scored`."""
    ends = {row.video_id: _end(row) for row in store.read_videos(storage.join(output, store.VIDEOS_FILE))}
    for number, masks in enumerate(masks_by_video(output)):
        if number and tree.is_one_video:
            raise UserError(
                f"--truth {tree.location} holds the masks of one video, {output} several; legal: a folder for each"
            )
        name = tree.name_of(masks.video_id)
        if name is not None:
            scored.add(name)
            yield masks, _TruthOfVideo(tree.folder(name), ends.get(masks.video_id)), chosen


def _end(row: VideoRow) -> int | None:
    """The number of the video's frames, where its window reached its end, and nothing is missing or left out."""
    if row.start is None or row.end is not None or row.cuts or row.frames_expected != row.frames_decoded:
        return None
    return None if row.frames_decoded is None else row.start + row.frames_decoded


def _score(masks: VideoMasks, truth: _TruthOfVideo, chosen: Rules) -> VideoScores:
    """Score one video, in this process or another."""
    with TemporaryDirectory(prefix="stcn-") as local:
        try:
            return score_video(masks, open_truth(truth.folder, Path(local)), chosen, frames=truth.frames)
        except PromptError as error:
            raise UserError(f"--truth: the true masks of {masks.video_id!r} cannot be used: {error}") from error
