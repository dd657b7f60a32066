"""A run's log: a folder beside its model with lines of JSON, and TensorBoard events if TensorBoard is installed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

LINES, PAGE = "lines.jsonl", "index.html"


class _EventWriter(Protocol):
    """The part of TensorBoard's SummaryWriter that a log uses."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: object) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Log:
    """A log folder. A resumed run replaces the lines after its checkpoint."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open a folder. step: the run resumes after this step, and later lines are dropped; 0: a new run."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / LINES
        stored = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.lines: list[dict[str, Any]] = [line for line in stored if line.get("step", 0) <= step and step]
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        self._events = _event_writer(folder, step)

    def add(self, line: Mapping[str, object]) -> None:
        """Append a line. TensorBoard gets its numbers too, named by the line's event."""
        self.lines.append(dict(line))
        with (self.folder / LINES).open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._events is not None and "step" in line:
            for name, value in line.items():
                if isinstance(value, int | float) and name != "step":
                    self._events.add_scalar(f"{line['event']}/{name}", value, line["step"])
            self._events.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._events is not None:
            self._events.close()


def _event_writer(folder: Path, step: int) -> _EventWriter | None:
    """Return a writer that hides events after `step` of an earlier run; None if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    writer: _EventWriter = SummaryWriter(str(folder), purge_step=step + 1 if step else None)
    return writer
