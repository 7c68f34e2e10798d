"""Downloads against a real server on this machine: resume, truncation, damage."""

import hashlib
import http.server
import io
import tarfile
import threading
from functools import partial

import pytest

from edgekws.data.download import Archive, download
from edgekws.errors import DataError


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves one file; knows ranges, and breaks off after `limit` bytes when told to."""

    content, limit, ranges = b"", None, []

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].rstrip("-"))
        type(self).ranges.append(start)
        self.send_response(206 if start else 200)
        body = self.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.limit is None else body[: self.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Fresh", (Handler,), {"ranges": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{running.server_port}/words.tar.gz"
        running.shutdown()
        thread.join()


def archive_of(url, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    content = buffer.getvalue()
    return content, Archive(url, len(content), hashlib.sha256(content).hexdigest(), "words")


get = partial(download, progress=lambda *_: None)


def test_download_unpacks_and_is_not_repeated(server, tmp_path):
    handler, url = server
    handler.content, archive = archive_of(url, {"yes/a.wav": b"sound" * 999})
    get(tmp_path, archives=(archive,))
    get(tmp_path, archives=(archive,))
    assert (tmp_path / "words" / "yes" / "a.wav").read_bytes() == b"sound" * 999
    assert handler.ranges == [0]


def test_a_broken_download_is_continued(server, tmp_path):
    handler, url = server
    handler.content, archive = archive_of(url, {"yes/a.wav": bytes(range(256)) * 99})
    handler.limit = len(handler.content) // 2
    with pytest.raises(DataError, match=r"ended early|IncompleteRead|more expected"):
        get(tmp_path, archives=(archive,))
    half = handler.limit
    handler.limit = None
    get(tmp_path, archives=(archive,))
    assert handler.ranges == [0, half] and (tmp_path / "words").is_dir()


def test_a_damaged_download_is_refused_and_removed(server, tmp_path):
    handler, url = server
    content, archive = archive_of(url, {"yes/a.wav": b"sound"})
    handler.content = content[:-1] + b"?"
    with pytest.raises(DataError, match="SHA-256"):
        get(tmp_path, archives=(archive,))
    assert not (tmp_path / "words").exists()
    handler.content = content
    get(tmp_path, archives=(archive,))
    assert (tmp_path / "words").is_dir()


def test_no_server_is_one_paragraph(tmp_path):
    archive = Archive("http://127.0.0.1:9/words.tar.gz", 10, "0" * 64, "words")
    with pytest.raises(DataError, match="--root"):
        get(tmp_path, archives=(archive,))


def test_an_archive_cannot_write_outside_of_its_folder(server, tmp_path):
    handler, url = server
    handler.content, archive = archive_of(url, {"../outside.wav": b"sound"})
    with pytest.raises(DataError):
        get(tmp_path / "in", archives=(archive,))
    assert not (tmp_path / "outside.wav").exists()
