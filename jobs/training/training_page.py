"""A run's page: curves, sample masks of its model, and its provenance. One HTML file that loads nothing else."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 420, 160  # of a curve's plot, in SVG units
TERMS = ("loss", "cross_entropy", "dice", "carried", "surface", "iou", "gradient", "seconds_per_step")
SCORES = ("j_and_f", "j", "f")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One figure over the steps, as an SVG polyline."""

    name: str
    points: str
    minimum: float
    maximum: float
    last: float
    first_step: int
    last_step: int

    @classmethod
    def from_values(cls, name: str, values: Sequence[tuple[int, float]]) -> "Curve":
        """Fit a curve into WIDTH x HEIGHT. values: (step, figure)."""
        steps, numbers = (np.array(column, float) for column in zip(*values, strict=True))
        minimum, maximum = float(numbers.min()), float(numbers.max())
        across = (steps - steps[0]) / max(steps[-1] - steps[0], 1) * WIDTH
        down = HEIGHT - (numbers - minimum) / max(maximum - minimum, 1e-12) * HEIGHT
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
        return cls(
            name=name,
            points=points,
            minimum=minimum,
            maximum=maximum,
            last=float(numbers[-1]),
            first_step=int(steps[0]),
            last_step=int(steps[-1]),
        )


def render_page(
    title: str,
    provenance: Mapping[str, object],
    lines: Sequence[Mapping[str, Any]],
    *,
    samples: Mapping[str, np.ndarray],
) -> str:
    """Render the page as HTML.

    lines: of the log. samples: pictures (H, W, 3) by caption.
    """
    curves = [curve for event, names in (("evaluated", SCORES), ("trained", TERMS)) for name in names
              if (curve := _curve(lines, event, name))]  # fmt: skip
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((resources.files("jobs.training") / "page.html.j2").read_text())
    return template.render(
        title=title, provenance=json.dumps(provenance, indent=2), curves=curves, width=WIDTH, height=HEIGHT,
        samples={name: _to_data_url(picture) for name, picture in samples.items()},
    )  # fmt: skip


def _curve(lines: Sequence[Mapping[str, Any]], event: str, name: str) -> Curve | None:
    """Return the curve of one figure of an event; None if no line has it."""
    values = [(line["step"], line[name]) for line in lines if line["event"] == event and name in line]
    return Curve.from_values(name, values) if values else None


def _to_data_url(picture: np.ndarray) -> str:
    """Encode a picture as a WebP data URL."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()
