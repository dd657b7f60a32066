"""Run the steps of infra/Dockerfile where no Docker engine is, and use what they make as the image's user would.

python infra/check_image.py                 a clean environment, all packages from the index: minutes
python infra/check_image.py --installed     dependencies from this Python's environment: 20 s

The base image is a clean environment with its version of torch. Steps that change the system (packages, users) are
listed and not run; every other step runs as it is written, with /opt in a temporary folder. COPY copies what it names
from the files of the commit's checkout, so a file that is missing in the image is missing here.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "infra/Dockerfile"
SYSTEM = re.compile(r"apt-get|useradd|/etc/")  # of steps that need an image of their own
ARCHIVE = """
from fractions import Fraction
from pathlib import Path
from jobs.commands.archive import DrawnVideo, draw_archive
video = DrawnVideo(video_id="a", seed=1, frames=6, height=48, width=64, rate=Fraction(24), objects=1)
draw_archive([video], Path("archive"))
"""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction of a Dockerfile and its argument, with continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            name, _, argument = line.strip().partition(" ")
            yield name, argument


class Image:
    """A folder in the place of /opt, and what the instructions so far have set."""

    def __init__(self, root: Path, python: Path, packages: str) -> None:
        """packages: the line of a .pth file that leads to the packages of the base image's Python."""
        self._root, self._packages = root, packages
        self.folder = root
        self.environment = {"PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(root / "home/ray")}
        self.arguments: dict[str, str] = {}
        (root / "home/ray").mkdir(parents=True)

    def apply(self, name: str, argument: str, *, installed: bool) -> None:
        """One instruction."""
        if name == "ARG":
            key, _, value = argument.partition("=")
            self.arguments[key] = value
        elif name == "ENV":
            key, _, value = argument.partition("=")
            self.environment[key] = self._placed(value.replace("$PATH", self.environment["PATH"]))
        elif name == "WORKDIR" and argument.startswith("/opt"):
            self.folder = Path(self._placed(argument))
            self.folder.mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            self._copy(*argument.split())
        elif name == "RUN" and not SYSTEM.search(argument):
            command = (
                argument.replace("pip install", "pip install --no-deps --no-build-isolation") if installed else argument
            )
            self.run("bash", "-c", self._placed(command), extra=self.arguments)
            if " -m venv" in argument:
                self._add_base_packages()
        elif name in ("RUN", "FROM", "USER", "WORKDIR"):
            print(f"not run: {name} {argument[:90]}", flush=True)
        else:
            raise SystemExit(f"infra/Dockerfile: this check does not know {name}; teach it, or use another instruction")

    def run(self, *command: str, extra: Mapping[str, str], folder: Path | None = None) -> str:
        """What a command writes; raises SystemExit if it fails."""
        print("run:", " ".join(command)[:110].replace("\n", " "), flush=True)
        environment = {**_index_settings(), **self.environment, **extra}
        done = subprocess.run(
            command, cwd=folder or self.folder, env=environment, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{command} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def files(self) -> set[Path]:
        """What lies in /opt, but for Python's caches."""
        return {path for path in (self._root / "opt").rglob("*") if "__pycache__" not in path.parts}

    def _copy(self, *names: str) -> None:
        *sources, target = names
        for source in sources:
            place = self.folder / target
            if (ROOT / source).is_dir():  # Docker copies what a folder holds
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)

    def _add_base_packages(self) -> None:
        """What `--system-site-packages` does in the image. Here the base's Python is an environment itself."""
        for own in self.folder.glob("venv/lib/python*/site-packages"):
            (own / "base-image.pth").write_text(f"{self._packages}\n")

    def _placed(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|home/ray)\b", rf"{self._root}/\1", text)


def _index_settings() -> dict[str, str]:
    """Where pip finds packages."""
    return {
        name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower().endswith("_proxy")
    }


def base_version(text: str) -> str:
    """The version of torch in the base image's tag."""
    return re.findall(r"^ARG BASE=pytorch/pytorch:([\d.]+)-cuda", text, re.MULTILINE)[0]


def make_base(root: Path, *, installed: bool) -> tuple[Path, str]:
    """The base image's Python, and the line of a .pth file that leads to its packages."""
    if installed:  # first: the environment's own setuptools may be too old to build the package
        folders = [path for path in sys.path if path.endswith("site-packages")]
        return Path(sys.executable), f"import sys; sys.path[:0] = {folders}"
    subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True)
    python = root / "base/bin/python3"
    torch = f"torch=={base_version(DOCKERFILE.read_text())}"
    subprocess.run([python, "-m", "pip", "install", "--quiet", torch], check=True)
    return python, str(next(root.glob("base/lib/python*/site-packages")))


def use(image: Image) -> None:
    """Segment and verify a tiny archive with what is installed; nothing may write outside of the user's home."""
    home = Path(image.environment["HOME"])
    before = image.files()
    extra = {"RAY_TMPDIR": str(home), "RAY_USAGE_STATS_ENABLED": "0"}
    where = "import jobs, stcn_core, torch; print(jobs.__file__, stcn_core.__file__, torch.__version__, torch.__file__)"
    print(image.run("python", "-c", where, extra=extra, folder=home))
    image.run("python", "-c", ARCHIVE, extra=extra, folder=home)
    for command in (["segment", "archive/manifest.csv", "masks", "--actors", "1"], ["verify", "masks"]):
        print(image.run("stcn", *command, extra=extra, folder=home))
    print(image.run("ray", "--version", extra=extra, folder=home))
    image.run("python", "-c", "import boto3", extra=extra, folder=home)  # for the autoscaler of a head in EC2
    if written := image.files() - before:
        raise SystemExit(f"{sorted(written)[:5]} were written; the image's user may write to its home alone")


def main() -> None:
    """Run the Dockerfile's steps, and then the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--installed", action="store_true", help="take dependencies from this Python's environment")
    installed = parser.parse_args().installed
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        root = Path(folder)
        image = Image(root, *make_base(root, installed=installed))
        for name, argument in instructions(DOCKERFILE.read_text()):
            image.apply(name, argument, installed=installed)
        use(image)
    print("the image's steps work")


if __name__ == "__main__":
    main()
