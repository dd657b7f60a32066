"""A journal of the files of masks that were verified, so that an interrupted `stcn verify` goes on where it was.

Names in `masks/` are used once, and begin with a digest of their content's: a noted file need not be read again.
"""

import json
from pathlib import Path
from typing import TextIO

from jobs.errors import UserError
from jobs.io import local, storage


class VerifiedFiles:
    """The files that were verified, by name and digest. A context manager. Without a path it forgets them."""

    def __init__(self, path: Path | None, output: str) -> None:
        """path: of a local file of JSON lines. Raises UserError for one that is of another output, or no journal."""
        self._path, self._output = path, storage.absolute(output)
        self._known: dict[tuple[str, str], int] = {}
        self._file: TextIO | None = None

    def masks(self, name: str, sha256: str) -> int | None:
        """The number of masks of a file that was verified; None if it was not."""
        return self._known.get((name, sha256))

    def add(self, name: str, sha256: str, masks: int) -> None:
        """Note that a file is sound."""
        if self._file is not None:
            print(json.dumps({"file": name, "sha256": sha256, "masks": masks}), file=self._file, flush=True)

    def __enter__(self) -> "VerifiedFiles":
        if self._path is None:
            return self
        try:
            lines = self._whole_lines(self._path)
            self._file = self._path.open("a")
        except OSError as error:
            raise UserError(f"--journal {self._path} cannot be used ({error}); legal: a local file") from error
        if not lines:
            print(json.dumps({"output": self._output}), file=self._file, flush=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def _whole_lines(self, path: Path) -> list[str]:
        """Read the journal, and drop half a line, which a kill may have left at its end.

        A file that is no journal of this output is refused as it is.
        """
        lines = path.read_text(errors="replace").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        try:
            records = [json.loads(line) for line in whole]
            owner = records[0]["output"] if lines else self._output
            self._known = {(line["file"], line["sha256"]): int(line["masks"]) for line in records[1:]}
        except (ValueError, TypeError, LookupError):
            owner = "no verification"
        if owner != self._output:
            raise UserError(f"--journal {path} is of {owner}; legal: a new file, or one that noted {self._output}")
        if len(whole) < len(lines):
            local.write(path, "".join(whole).encode())
        return whole
