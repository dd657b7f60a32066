"""`make chaos`: random kill -9 over actors, raylets and drivers: nothing may be lost, and nothing come twice.

    python -m tests.reliability.chaos --kills 100 --seed 7

An archive is segmented into one output after another, by turns on disk and on S3. As soon as a driver is dead, readers
look at the output, `verify` checks it, and the same command goes on (or `retry`, where videos were killed so often
that they are in quarantine). Nodes come, and others are drained and go, and the number of actors follows. The seed
draws what is killed and when; what that hits is up to the machine. A raylet that is killed is replaced by a new node;
the head's is spared, for it is the cluster.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import s3fs

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.io import storage
from stcn_core import save_model
from tests.core.tiny import tiny_model
from tests.jobs.ledger.records import record_locations
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes
from tests.reliability.restarted import Restarted
from tests.reliability.small_run import digest
from tests.stores.ceph import missing_programs
from tests.stores.choice import STORES, found_by_default, running

STUCK_SECONDS = 300.0  # without a commit, nor a kill
DRAWN = 8  # videos


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is killed, and what is at work meanwhile."""

    mix: tuple[str, ...]  # of this many kills; "node": one comes, or is drained and goes
    pause_seconds: float  # before a kill, at most
    nodes: int  # to begin with
    copies: int  # of each drawn video in the manifest


FULL = Scale(
    mix=("actor",) * 4 + ("driver",) * 2 + ("raylet",) * 2 + ("node",) * 2, pause_seconds=10, nodes=2, copies=4
)
SHORT = Scale(mix=("actor", "driver", "raylet", "node"), pause_seconds=2, nodes=2, copies=1)
MOST_NODES = 4
DRAIN_SECONDS = 3.0  # from a notice to the end of a node


class Chaos:
    """What was killed, and what came of it."""

    def __init__(self, folder: Path, nodes: Nodes, seed: int, *, scale: Scale) -> None:
        self._nodes, self._chance, self._scale = nodes, random.Random(seed), scale
        self._manifest, self._options = _draw(folder, scale.copies)
        self._to_kill: deque[str] = deque()
        self.killed: Counter[str] = Counter()
        self.ended: Counter[int | None] = Counter()  # drivers, by exit code
        self.finished = 0  # outputs
        self.violations: list[str] = []
        self._going: dict[int, float] = {}  # raylets of nodes that are drained, and when they end
        self._due = time.monotonic()  # of the next kill, whatever is committed until then, and by whichever run

    def run(self, kills: int, outputs: Iterator[str]) -> None:
        """Kill so many, and let the last output be finished; or until something is violated."""
        expected = digest(self._finish(next(outputs)))  # undisturbed
        mix = self._scale.mix
        for start in range(0, kills, len(mix)):
            self._to_kill.extend(self._chance.sample(mix, min(len(mix), kills - start)))
        while self._to_kill and not self.violations:
            output = self._finish(next(outputs))
            if not self.violations and digest(output) != expected:
                self.violations.append(f"{output}: its masks are others than those of an undisturbed run")

    def _finish(self, output: str) -> str:
        """Run until all videos are done, whatever is killed meanwhile."""
        run = Restarted(["segment", self._manifest, output, *self._options], self._nodes.address)
        is_done = False
        while not is_done and not self.violations:
            run.start()
            self._attend(run)
            wrong, is_done = run.check()
            self.ended[run.code] += 1
            self.violations += [f"{output}: {text}" for text in wrong]
        self.finished += is_done
        return output

    def _attend(self, run: Restarted) -> None:
        """Until the driver is dead, kill what comes next, when it is due."""
        last, records = time.monotonic(), 0
        while run.code is None:
            time.sleep(0.1)
            now = time.monotonic()
            self._end_drained(now)
            if self._to_kill and now > self._due and self._kill(run):
                self._due, last = now + self._chance.uniform(0, self._scale.pause_seconds), now
            elif (found := len(record_locations(run.output))) > records:
                records, last = found, now
            elif now - last > STUCK_SECONDS:
                self.violations.append(f"{run.output}: nothing was committed for {STUCK_SECONDS:g} s")
                run.kill()

    def _kill(self, run: Restarted) -> bool:
        """Kill one of the kind that is next, if there is one just now."""
        kind = self._to_kill[0]
        if kind == "node":
            self._to_kill.popleft()
            self._change_nodes(run)
            return True
        found = {"driver": lambda: [run.pid], "actor": self._nodes.actors, "raylet": self._nodes.alive}[kind]()
        if not found:
            return False
        self._to_kill.popleft()
        victim = self._chance.choice(sorted(found))
        self.killed[kind] += 1
        print(f"{self.killed.total()}: {kind} {victim}, at work on {storage.name_of(run.output)}", flush=True)
        if kind == "driver":
            run.kill()
        else:
            self._nodes.kill(victim)
        return True

    def _change_nodes(self, run: Restarted) -> None:
        """Let a node come, or tell one that it is to go."""
        staying = sorted(set(self._nodes.alive()) - self._going.keys())
        comes = len(staying) < 2 or (len(self._nodes.alive()) < MOST_NODES and self._chance.random() < 0.5)
        raylet = self._nodes.add() if comes else self._chance.choice(staying)
        if not comes:
            self._nodes.drain(raylet)
            self._going[raylet] = time.monotonic() + DRAIN_SECONDS
        self.killed["node"] += 1
        what = "comes" if comes else "is drained"
        print(f"{self.killed.total()}: node {raylet} {what}, at work on {storage.name_of(run.output)}", flush=True)

    def _end_drained(self, now: float) -> None:
        for raylet in [raylet for raylet, end in self._going.items() if now >= end]:
            del self._going[raylet]
            self._nodes.kill(raylet, is_replaced=False)


def _draw(folder: Path, copies: int) -> tuple[str, list[str]]:
    """An archive and a model: the manifest, and the options of `segment`."""
    chance = random.Random(0)
    drawn = [
        DrawnVideo(
            video_id=f"d{n}",
            seed=n,
            frames=chance.randint(20, 300),
            height=48,
            width=64,
            rate=Fraction(24),
            objects=1 + n % 3,
        )
        for n in range(DRAWN)
    ]
    manifest = draw_archive(drawn, folder)
    rows = [f"{time}{v.video_id},videos/{v.video_id}.mp4,prompts/{v.video_id}" for time in range(copies) for v in drawn]
    manifest.write_text("\n".join(["video_id,video,prompts", *rows]))
    save_model(tiny_model(), folder / "tiny.safetensors")
    options = ["--model", str(folder / "tiny.safetensors"), "--threads-per-actor", "1"]
    return str(manifest), options


def outputs(folders: Iterable[str]) -> Iterator[str]:
    """New ones, by turns in each of these."""
    for number, folder in enumerate(itertools.cycle(folders)):
        yield f"{folder}/out{number}"


def main() -> None:
    """Wreak havoc, and say what it led to. The exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    store, start = STORES["moto" if missing_programs() else "ceph"], time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stcn-chaos-")))
        stack.enter_context(found_by_default(stack.enter_context(running(store))))
        s3fs.S3FileSystem().mkdir("chaos")
        nodes = stack.enter_context(Nodes(FULL.nodes, **SHORT_HEALTH_CHECK))
        chaos = Chaos(folder / "archive", nodes, asked.seed, scale=FULL)
        print(f"seed {asked.seed}, outputs on disk and on {store.name}", flush=True)
        chaos.run(asked.kills, outputs([str(folder), "s3://chaos"]))
    print("\n".join(chaos.violations))
    print(
        f"seed {asked.seed}: {chaos.killed.total()} kills ({dict(chaos.killed)}), {chaos.finished} outputs finished, "
        f"drivers' ends by exit code: {dict(chaos.ended)}, {time.monotonic() - start:.0f} s; "
        f"{len(chaos.violations)} violations"
    )
    sys.exit(bool(chaos.violations))


if __name__ == "__main__":
    main()
