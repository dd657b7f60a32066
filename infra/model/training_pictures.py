"""Collect the training pictures of `stcn-mini`, photographs and cut-out things, from packages of Debian 12.

    python infra/model/training_pictures.py pictures && stcn train model.safetensors --textures pictures

Needs apt-get with Debian 12's sources (main), dpkg-deb, and 460 MB; pictures then takes 26 MB. The pictures are not
part of this project. Their licences are free; `pictures/SOURCES` lists them, and each package's `copyright` holds them.
"""

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

PHOTOGRAPH_SIZE, THING_SIZE = (768, 576), (320, 320)  # pixels at most
MIN_BYTES = 10_000  # smaller files are icons
# Package, its licence, least bytes of pictures by ending, and parts of names to leave out.
Rule = tuple[str, str, dict[str, int], tuple[str, ...]]
PHOTOGRAPHS: list[Rule] = [
    ("scratch", "CC-BY-SA-3.0", {".jpg": MIN_BYTES}, ()),
    ("palapeli-data", "GFDL-1.2+, CC0, GPL-2+", {".jpg": MIN_BYTES}, ()),
    ("gnome-backgrounds", "CC-BY-SA-3.0, CC-BY-2.0", {".jpg": MIN_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("mate-backgrounds", "GPL-2+, CC-BY-SA-4.0", {".jpg": MIN_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("lomiri-wallpapers-16.04", "CC-BY-4.0, CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0", {".jpg": MIN_BYTES}, ()),
    ("lomiri-wallpapers-20.04", "CC-BY-4.0, CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0", {".jpg": MIN_BYTES}, ()),
    ("ukui-wallpapers", "CC-BY-SA-3.0", {".jpg": MIN_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("plasma-workspace-wallpapers", "GPL-2+", {".jpg": MIN_BYTES, ".png": 0, ".webp": 100_001}, ("screenshot",)),
]
THINGS: list[Rule] = [("tuxpaint-stamps-default", "GPL-2", {".png": MIN_BYTES}, ("cartoon", "symbols"))]


def find_pictures(folder: Path, min_bytes: dict[str, int], excluded: tuple[str, ...]) -> list[Path]:
    """List the pictures of an unpacked package. min_bytes: by ending. excluded: parts of names."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in min_bytes)
    return sorted(
        path for path in files
        if path.is_file() and not path.is_symlink() and path.stat().st_size > min_bytes[path.suffix.lower()]
        and not any(part in str(path.relative_to(folder)) for part in excluded)
    )  # fmt: skip


def unpack(package: str, folder: Path) -> tuple[Path, str]:
    """Download and unpack a package. Returns its folder, and its file's name, which holds the version."""
    subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
    (file,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(file), str(folder / package)], check=True)
    return folder / package, file.name


def collect(destination: Path) -> None:
    """Write photographs as JPEG and things as PNG with alpha, scaled down, and the list of their sources."""
    sources = []
    for rules, name, size in ((PHOTOGRAPHS, "photographs", PHOTOGRAPH_SIZE), (THINGS, "things", THING_SIZE)):
        (destination / name).mkdir(parents=True, exist_ok=True)
        for package, licence, min_bytes, excluded in rules:
            with TemporaryDirectory() as temporary:
                folder, version = unpack(package, Path(temporary))
                pictures = find_pictures(folder, min_bytes, excluded)
                for number, path in enumerate(pictures):
                    convert(path, destination / name / f"{package}-{number:03d}", size)
            sources.append(f"{name}: {len(pictures)} of {version} ({licence})")
    (destination / "SOURCES").write_text("\n".join(sources) + "\n")


def convert(path: Path, target: Path, size: tuple[int, int]) -> None:
    """Write a photograph as JPEG, or a thing as PNG with alpha."""
    with Image.open(path) as image:
        mode, ending = ("RGB", ".jpg") if size == PHOTOGRAPH_SIZE else ("RGBA", ".png")
        converted = image.convert(mode)
    converted.thumbnail(size, Image.Resampling.LANCZOS)
    converted.save(target.with_suffix(target.suffix + ending), quality=92)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("destination", type=Path)
    collect(parser.parse_args().destination)
