"""A model is found by name, path or URL; a URL is downloaded once, and checked."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.inputs.model_file import find_model


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and counts what is fetched."""

    fetched: list[str]

    def do_GET(self) -> None:
        self.fetched.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(model_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Server.fetched = []
    handler = functools.partial(Server, directory=str(model_file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{model_file.name}"
        server.shutdown()


def test_a_similarity_replaces_the_networks_own(model_file: Path) -> None:
    own, other = find_model(str(model_file)), find_model(str(model_file), similarity="cosine")
    assert (own.config.similarity, other.config.similarity) == ("l2", "cosine")
    assert own.sha256 == other.sha256


def test_an_unknown_similarity_is_refused_by_name(model_file: Path) -> None:
    with pytest.raises(UserError, match="--similarity manhattan: .*legal: .*cosine"):
        find_model(str(model_file), similarity="manhattan")


def test_a_url_with_its_digest_is_downloaded_once(served: str, model_file: Path) -> None:
    digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
    first = find_model(served, digest)
    downloads = len(Server.fetched)
    assert downloads >= 1
    second = find_model(served, digest.upper())
    assert len(Server.fetched) == downloads
    assert first == second
    assert (first.sha256, first.config.network, first.content) == (digest, "stcn", model_file.read_bytes())


def test_wrong_digest_is_refused_and_not_cached(served: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not 0000 as --model-sha256 says"):
        find_model(served, "0000")
    assert not (tmp_path / "cache").exists()


def test_digest_of_a_local_model_is_checked(model_file: Path) -> None:
    assert find_model(str(model_file)).config.network == "stcn"
    with pytest.raises(UserError, match="--model-sha256"):
        find_model(str(model_file), "0000")


def test_missing_or_invalid_model_is_refused(served: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--model"):
        find_model(f"{served}.missing")
    (tmp_path / "notes.pth").write_text("no model")
    with pytest.raises(UserError, match="not a file of plain tensors"):
        find_model(str(tmp_path / "notes.pth"))


def test_shipped_model_is_loaded_by_name() -> None:
    assert find_model("stcn-mini").name == "stcn-mini.safetensors"
