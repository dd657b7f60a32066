"""Figures in words, with as many digits as an estimate deserves."""

HOUR, MINUTE = 3600.0, 60.0  # seconds
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")  # each 1,000 of the one before


def number(value: float) -> str:
    """A count, such as "12,480" or "3.1 million"."""
    if value < 10**6:
        return f"{value:,.0f}"
    return f"{value / 10**6:,.1f} million" if value < 10**9 else f"{value / 10**9:,.1f} billion"


def counted(count: int, noun: str) -> str:
    """A count with its noun, whose plural ends in s: "1 video", "2 videos"."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def size(num_bytes: float) -> str:
    """Bytes in decimal units, such as "1.2 GB"."""
    for unit in UNITS:
        if num_bytes < 999.5 or unit == UNITS[-1]:
            break
        num_bytes /= 1000
    return f"{round(num_bytes) if unit == UNITS[0] else _digits(num_bytes)} {unit}"


def speed(frames_per_second: float) -> str:
    """A speed, such as "25 frames/s"."""
    return f"{_digits(frames_per_second)} frames/s"


def hours(seconds: float, of: str = "") -> str:
    """Time in hours, or in minutes or seconds where it is short. of: "actor" for actor-hours, "GPU" for GPU-hours."""
    unit, length = next(((u, s) for u, s in (("hours", HOUR), ("minutes", MINUTE)) if seconds >= s), ("seconds", 1.0))
    return f"{_digits(seconds / length)} {of and f'{of}-'}{unit}"


def money(amount: float) -> str:
    """An amount without its currency, such as "41.20"; of small ones two digits."""
    return f"{amount:,.2f}" if amount >= 0.1 or not amount else f"{amount:.2g}"


def _digits(value: float) -> str:
    """Two digits at least: 0.031, 0.31, 3.1, 31, 310."""
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"
