"""A run that is started again whenever its driver is dead, as a person or a scheduler would."""

from jobs.commands.verify import verify
from jobs.errors import UserError
from tests.parts import in_cluster
from tests.preloaded.process import Process
from tests.reliability.small_run import check_readers

KILLED, DONE, UNABLE, QUARANTINED = -9, 0, 1, 3  # how a driver may end; 2 would be a mistake of the command


class Restarted:
    """One output, and its driver of the moment."""

    def __init__(self, segment: list[str], address: str) -> None:
        self._segment, self._address = segment, address
        self.output = segment[2]
        self._driver: Process | None = None

    def start(self) -> None:
        """Start the driver: `segment`, or where the last one left videos in quarantine, `retry`."""
        command = ["retry", self.output] if self.code == QUARANTINED else self._segment
        self._driver = Process("-m", "jobs", *command, env=in_cluster(self._address))

    @property
    def code(self) -> int | None:
        """The driver's exit code; None while it is at work."""
        return self._driver.poll() if self._driver else None

    @property
    def pid(self) -> int:
        """The driver's."""
        assert self._driver
        return self._driver.pid

    def wait(self, seconds: float) -> None:
        """For the driver to end. Raises subprocess.TimeoutExpired."""
        assert self._driver
        self._driver.wait(seconds)

    def kill(self) -> None:
        """End the driver, at once."""
        assert self._driver
        self._driver.kill()
        self._driver.wait()

    def check(self) -> tuple[list[str], bool]:
        """What is wrong now that the driver is dead, and whether every video is done."""
        assert self._driver
        said = self._driver.errors()
        wrong = []
        if self.code not in (KILLED, DONE, UNABLE, QUARANTINED) or "Traceback" in said:
            wrong.append(f"the driver ended with {self.code}: {said}")
        try:
            check_readers(self.output)
            found = verify(self.output)
        except AssertionError as error:
            return [*wrong, f"readers see {error}"], False
        except UserError:
            return wrong, False  # it had not written anything yet
        if self.code in (DONE, QUARANTINED) and found.rows["pending"]:
            wrong.append(f"the driver ended with {self.code}, and {found.rows['pending']} videos are pending")
        return [*wrong, *found.problems], found.rows["done"] == found.rows.total()
