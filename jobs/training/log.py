"""What a run reports, kept beside its model: lines of JSON, TensorBoard's events where it is installed, and a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LINES, PAGE = "lines.jsonl", "index.html"


class Log:
    """A folder. What a run that is taken up again does once more takes the place of what it did."""

    def __init__(self, folder: Path, step: int) -> None:
        """step: that the run goes on from; 0 for a new one."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / LINES
        old = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.lines: list[dict[str, Any]] = [line for line in old if line.get("step", 0) <= step and step]
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        self._events = _tensorboard(folder, step)

    def add(self, line: Mapping[str, object]) -> None:
        """One line; its numbers go to TensorBoard, too, under the kind of line."""
        self.lines.append(dict(line))
        with (self.folder / LINES).open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._events is not None and "step" in line:
            for name, value in line.items():
                if isinstance(value, int | float) and name != "step":
                    self._events.add_scalar(f"{line['event']}/{name}", value, line["step"])
            self._events.flush()

    def close(self) -> None:
        if self._events is not None:
            self._events.close()


def _tensorboard(folder: Path, step: int) -> Any:
    """A writer of events that drops what an earlier one wrote after `step`; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
