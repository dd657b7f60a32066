"""The work id: a digest of all that a video's masks depend on.

A resumed run compares work ids, never names or row numbers. A changed video, prompt, model or option is new work;
unchanged work is never repeated.
"""

import dataclasses
import hashlib
import json
from functools import cache
from operator import attrgetter

from jobs.inputs.limits import VideoLimits
from jobs.planning.answers import Answer
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions

SCHEMA = 5  # to be incremented when equal inputs give different rows, or other ids
# What the manifest knows of a video enters ids as storage's answer would, or not at all.
NOT_IN_IDS = ("overrides", "video_bytes", "video_etag", "frames")
# Fields of an entry enter ids only where they are set, so that outputs resume when others are added.
ENTRY_FIELDS = {f.name: f.default for f in dataclasses.fields(Entry) if f.name not in NOT_IN_IDS}
ENTRY_VALUES = attrgetter(*ENTRY_FIELDS)
NEUTRAL_OPTIONS = ("key_batch", "decode_batch")  # they change speed, and results by rounding only


class WorkIds:
    """The work ids of one run."""

    def __init__(self, model_sha256: str, precision: str, similarity: str | None) -> None:
        """similarity: that replaces the model's own; None, for the model's own, is as if there were no such option."""
        common = [SCHEMA, model_sha256, precision, similarity]

        @cache
        def prefix(options: VideoOptions) -> "hashlib._Hash":
            return hashlib.sha256(json.dumps([common, _options_content(options)]).encode())

        self._prefix = prefix

    def of(self, entry: Entry, options: VideoOptions, *, video: Answer, prompts: Answer) -> str:
        """The work id of an entry. video, prompts: what storage said of them."""
        digest = self._prefix(options).copy()
        digest.update(json.dumps([_entry_content(entry), video.content, prompts.content]).encode())
        return digest.hexdigest()[:32]


def _entry_content(entry: Entry) -> list[tuple[str, object]]:
    """The fields of an entry that change results: its own. What it overrides is among the options."""
    every = zip(ENTRY_FIELDS.items(), ENTRY_VALUES(entry), strict=True)
    return [(name, value) for (name, default), value in every if value != default]


def _options_content(options: VideoOptions) -> list[tuple[str, object]]:
    """The options that change results. Those that came later enter only where they are set."""
    always = (options.propagation, options.clips)
    content = {f.name: getattr(part, f.name) for part in always for f in dataclasses.fields(part)}
    later = {f.name: (getattr(options.leniency, f.name), f.default) for f in dataclasses.fields(options.leniency)}
    later["on_bad_frame"] = (options.requirements.limits.on_bad_frame, VideoLimits.on_bad_frame)
    content |= {name: value for name, (value, default) in later.items() if value != default}
    return sorted((name, value) for name, value in content.items() if name not in NEUTRAL_OPTIONS)
