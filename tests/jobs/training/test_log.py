"""A run's log, through a resume, and its page."""

import json
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jobs.training.log import LINES, Log
from jobs.training.training_page import render_page


def trained_line(step: int, loss: float) -> dict[str, object]:
    return {"event": "trained", "step": step, "loss": loss}


def test_resumed_run_replaces_lines_after_its_checkpoint(tmp_path: Path) -> None:
    first = Log(tmp_path, 0)
    for step in (10, 20, 30):
        first.add(trained_line(step, 1.0))
    first.close()
    again = Log(tmp_path, 20)
    again.add(trained_line(30, 0.5))
    again.close()
    lines = [json.loads(line) for line in (tmp_path / LINES).read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(10, 1.0), (20, 1.0), (30, 0.5)]
    assert lines == again.lines
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("trained/loss")] == [(10, 1.0), (20, 1.0), (30, 0.5)]
    Log(tmp_path, 0).close()
    assert (tmp_path / LINES).read_text() == ""


def test_page_holds_curves_and_pictures_and_escapes_markup() -> None:
    lines = [trained_line(10, 2.0), trained_line(20, 1.0), {"event": "evaluated", "step": 20, "j_and_f": 0.75}]
    page = render_page("<b>m", {"init": "<script>"}, lines, samples={"clip 0": np.zeros((8, 12, 3), np.uint8)})
    assert 'points="0.0,0.0 420.0,160.0"' in page
    assert "0.75" in page
    assert "data:image/webp;base64," in page
    assert "<script>" not in page
    assert "&lt;b&gt;m" in page
