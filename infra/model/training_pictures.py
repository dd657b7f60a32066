"""Collect the pictures that `stcn-mini` was trained with, from packages of Debian 12: photographs, and cut-out things.

    python infra/model/training_pictures.py pictures && stcn train model.safetensors --textures pictures

Needs apt-get with Debian 12's sources (main), dpkg-deb, and 460 MB; pictures then takes 26 MB. The pictures are no part
of this project. Their licences are free, and are in each package's `copyright`; `pictures/SOURCES` lists them.
"""

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

PHOTOGRAPH, THING = (768, 576), (320, 320)  # pixels at most
LEAST_BYTES = 10_000  # smaller files are icons
# Package, its licence, endings of pictures with the least bytes of each, and parts of names that are left out.
Rule = tuple[str, str, dict[str, int], tuple[str, ...]]
PHOTOGRAPHS: list[Rule] = [
    ("scratch", "CC-BY-SA-3.0", {".jpg": LEAST_BYTES}, ()),
    ("palapeli-data", "GFDL-1.2+, CC0, GPL-2+", {".jpg": LEAST_BYTES}, ()),
    ("gnome-backgrounds", "CC-BY-SA-3.0, CC-BY-2.0", {".jpg": LEAST_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("mate-backgrounds", "GPL-2+, CC-BY-SA-4.0", {".jpg": LEAST_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("lomiri-wallpapers-16.04", "CC-BY-4.0, CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0", {".jpg": LEAST_BYTES}, ()),
    ("lomiri-wallpapers-20.04", "CC-BY-4.0, CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0", {".jpg": LEAST_BYTES}, ()),
    ("ukui-wallpapers", "CC-BY-SA-3.0", {".jpg": LEAST_BYTES, ".png": 0, ".webp": 100_001}, ()),
    ("plasma-workspace-wallpapers", "GPL-2+", {".jpg": LEAST_BYTES, ".png": 0, ".webp": 100_001}, ("screenshot",)),
]
THINGS: list[Rule] = [("tuxpaint-stamps-default", "GPL-2", {".png": LEAST_BYTES}, ("cartoon", "symbols"))]


def chosen(folder: Path, endings: dict[str, int], without: tuple[str, ...]) -> list[Path]:
    """Pictures of a package that was unpacked into a folder."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in endings)
    return sorted(
        path for path in files
        if path.is_file() and not path.is_symlink() and path.stat().st_size > endings[path.suffix.lower()]
        and not any(part in str(path.relative_to(folder)) for part in without)
    )  # fmt: skip


def unpack(package: str, folder: Path) -> tuple[Path, str]:
    """Download a package and unpack it; returns where it lies, and its file's name, which says its version."""
    subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
    (file,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(file), str(folder / package)], check=True)
    return folder / package, file.name


def collect(destination: Path) -> None:
    """Write photographs as JPEG and things as PNG with alpha, scaled down, and the list of their sources."""
    sources = []
    for rules, name, size in ((PHOTOGRAPHS, "photographs", PHOTOGRAPH), (THINGS, "things", THING)):
        (destination / name).mkdir(parents=True, exist_ok=True)
        for package, licence, endings, without in rules:
            with TemporaryDirectory() as temporary:
                folder, version = unpack(package, Path(temporary))
                pictures = chosen(folder, endings, without)
                for number, path in enumerate(pictures):
                    convert(path, destination / name / f"{package}-{number:03d}", size)
            sources.append(f"{name}: {len(pictures)} of {version} ({licence})")
    (destination / "SOURCES").write_text("\n".join(sources) + "\n")


def convert(path: Path, target: Path, size: tuple[int, int]) -> None:
    """A JPEG of a photograph; a PNG, with its alpha, of a thing."""
    with Image.open(path) as image:
        mode, ending = ("RGB", ".jpg") if size == PHOTOGRAPH else ("RGBA", ".png")
        scaled = image.convert(mode)
    scaled.thumbnail(size, Image.Resampling.LANCZOS)
    scaled.save(target.with_suffix(target.suffix + ending), quality=92)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("destination", type=Path)
    collect(parser.parse_args().destination)
