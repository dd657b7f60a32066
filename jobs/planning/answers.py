"""What storage says of a video and of its prompts, as far as planning uses it: their size, and digests of the rest."""

from collections.abc import Sequence
from typing import NamedTuple

from jobs.inputs.content_version import version_of, version_of_prompts
from jobs.inputs.listed_video import listed_file
from jobs.io.bulk_listing import Found, Wanted, find_files
from jobs.records import Entry

CHEAP = 0.25  # requests that an answer may cost and be asked for at every run: four locations or more share a page


class Answer(NamedTuple):
    """What storage said of one location."""

    content: str  # digest of 32 digits; of a video the version that readers compare, too (inputs/content_version)
    files: int  # 0: nothing is there
    num_bytes: int  # of all of them
    requests: float  # that it took to ask

    @property
    def is_apart(self) -> bool:
        """Whether asking again costs much of a request: the location lies far from others, or has hundreds of files."""
        return self.requests > CHEAP


class Answers(NamedTuple):
    """The answers on one entry; None for one that is not known."""

    video: Answer | None = None
    prompts: Answer | None = None


class Asked(NamedTuple):
    """The answers on one entry, and whether storage was asked for both."""

    video: Answer
    prompts: Answer
    is_believed: bool  # one of them is of an earlier run


def ask(entries: Sequence[Entry], kept: Sequence[Answers]) -> list[Asked]:
    """Ask storage for entries, unless the manifest says what it would answer.

    kept: for each entry the answers of an earlier run that are believed, unless pages that are asked for others happen
    to show what is there. Raises StorageError if storage is out of reach.
    """
    locations, numbers = _Locations(), list[tuple[int | None, int]]()
    for entry, believed in zip(entries, kept, strict=True):
        number = None if listed_file(entry) else locations.add(entry.video, believed.video)
        numbers.append((number, locations.add(entry.prompts, believed.prompts, is_deep=True)))
    answers = locations.ask()
    asked: list[Asked] = []
    for entry, believed, (of_video, of_prompts) in zip(entries, kept, numbers, strict=True):
        video = _as_listed(entry) if of_video is None else answers[of_video]
        prompts = answers[of_prompts]
        is_believed = video is None or prompts is None
        asked.append(Asked(_known(video, believed.video), _known(prompts, believed.prompts), is_believed))
    return asked


def _known(answer: Answer | None, believed: Answer | None) -> Answer:
    known = answer or believed
    assert known  # no location was optional whose answer is not kept
    return known


class _Locations:
    """Locations that storage is asked for: each once, though it may be of several entries."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, bool], int] = {}
        self._is_optional: list[bool] = []

    def add(self, location: str, believed: Answer | None, *, is_deep: bool = False) -> int:
        """Add a location, and return its number. believed: the answer that will do if no page shows another."""
        number = self._numbers.setdefault((location, is_deep), len(self._numbers))
        if number == len(self._is_optional):
            self._is_optional.append(True)
        self._is_optional[number] &= believed is not None
        return number

    def ask(self) -> list[Answer | None]:
        """The answer on each location, by its number; None for one that will do without."""
        every = zip(self._numbers, self._is_optional, strict=True)
        wanted = [Wanted(location, is_deep, is_optional) for (location, is_deep), is_optional in every]
        found = zip(wanted, find_files(wanted), strict=True)
        return [_answer(files, is_video=not each.is_deep) if files else None for each, files in found]


def _as_listed(entry: Entry) -> Answer:
    file = listed_file(entry)
    assert file
    return _answer(Found([file], 0.0), is_video=True)


def _answer(found: Found, *, is_video: bool) -> Answer:
    content = version_of(found.files) if is_video else version_of_prompts(found.files)
    return Answer(content, len(found.files), sum([file.num_bytes for file in found.files]), found.requests)
