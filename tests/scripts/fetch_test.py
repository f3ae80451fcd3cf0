"""tools/scripts/fetch.sh against a server on this machine."""

import contextlib
import hashlib
import http.server
import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import threading
import unittest

FETCH = pathlib.Path(__file__).resolve().parents[2] / "tools" / "scripts" / "fetch.sh"


def tiny_cifar():
    """A tar.gz laid out like CIFAR-10's, of incompressible content, so that there is something to interrupt."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
            content = os.urandom(3073)
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tiny_cifar()
WEIGHTS = os.urandom(5000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, records requests as (path, Range header)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/cifar.tar.gz": ARCHIVE, "/weights.pth": WEIGHTS}
        self.requests = []
        self.ranges_supported = True
        self.byte_budget = None  # bytes of content to send in all; then every connection breaks

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def ranges_of(self, path):
        return [range_ for requested, range_ in self.requests if requested == path]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and server.ranges_supported:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if server.byte_budget is not None:
            body = body[: server.byte_budget]
            server.byte_budget -= len(body)
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class FetchTest(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeprune fetch ")))
        self.cache = self.home / "cache" / "edgeprune"
        self.server = Server()
        stack.callback(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        stack.callback(self.server.shutdown)

    def fetch(self, *arguments, **variables):
        """Runs fetch.sh against the server, with only `variables` of EDGEPRUNE_* set beyond that."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EDGEPRUNE_") and "proxy" not in k.lower()}
        environment |= {
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "EDGEPRUNE_DATA_URL": self.server.url("/cifar.tar.gz"),
            "EDGEPRUNE_DATA_MD5": hashlib.md5(ARCHIVE).hexdigest(),
            "EDGEPRUNE_WEIGHTS_URL": self.server.url("/weights.pth"),
            "EDGEPRUNE_WEIGHTS_SHA256": hashlib.sha256(WEIGHTS).hexdigest()[:8],
        }
        environment |= {name: str(value) for name, value in variables.items()}
        return subprocess.run(
            ["bash", FETCH, *arguments], env=environment, cwd=self.home, text=True, capture_output=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def assert_found(self, result, data, weights):
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, f"data={data}\nweights={weights}\n")

    def assert_fails(self, result, *fragments):
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        for fragment in fragments:
            self.assertIn(fragment, result.stderr)

    @property
    def cached_data(self):
        return self.cache / "cifar-10-batches-bin"

    @property
    def cached_weights(self):
        return self.cache / "mobilenet_v2.pth"

    def assert_cache_is_whole(self):
        self.assertEqual(len(list(self.cached_data.glob("*.bin"))), 6)
        self.assertEqual(self.cached_weights.read_bytes(), WEIGHTS)
        self.assertEqual(
            sorted(path.name for path in self.cache.iterdir()), ["cifar-10-batches-bin", "lock", "mobilenet_v2.pth"]
        )


class Download(FetchTest):
    def test_both_are_downloaded_and_verified(self):
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assert_cache_is_whole()

    def test_cached_copies_are_used_without_the_server(self):
        self.fetch()
        self.server.requests.clear()
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.requests, [])

    def test_quiet_when_not_on_a_terminal(self):
        self.assertEqual(
            self.fetch().stderr.splitlines(),
            [f"fetch.sh: downloading {self.server.url(path)}" for path in ("/cifar.tar.gz", "/weights.pth")],
        )

    def test_wrong_checksum_fails_and_removes_the_file(self):
        expected = "0" * 32
        result = self.fetch(EDGEPRUNE_DATA_MD5=expected)
        self.assert_fails(result, "wrong checksum", expected, hashlib.md5(ARCHIVE).hexdigest())
        self.assertEqual([path.name for path in self.cache.iterdir()], ["lock"])

    def test_wrong_checksum_of_the_weights(self):
        got = hashlib.sha256(WEIGHTS).hexdigest()
        self.assert_fails(self.fetch(EDGEPRUNE_WEIGHTS_SHA256="0badc0de"), "0badc0de", got)
        self.assertFalse(self.cached_weights.exists())
        self.assertTrue(self.cached_data.is_dir())

    def test_archive_without_the_data_folder_fails(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("something-else"))
        self.server.files["/cifar.tar.gz"] = buffer.getvalue()
        md5 = hashlib.md5(buffer.getvalue()).hexdigest()
        self.assert_fails(self.fetch(EDGEPRUNE_DATA_MD5=md5), "holds no folder cifar-10-batches-bin")
        self.assertEqual([path.name for path in self.cache.iterdir()], ["lock"])

    def test_unwritable_cache_fails(self):
        (self.home / "cache").write_text("a file where the folder should be")
        self.assert_fails(self.fetch(), "cannot write to")

    def test_two_runs_at_once_download_once(self):
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.fetch())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            self.assert_found(result, self.cached_data, self.cached_weights)
        self.assertEqual(len(self.server.requests), 2)


class Resume(FetchTest):
    def test_partial_file_is_continued_by_a_range_request(self):
        self.cache.mkdir(parents=True)
        (self.cache / "mobilenet_v2.pth.part").write_bytes(WEIGHTS[:1234])
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/weights.pth"), ["bytes=1234-"])
        self.assert_cache_is_whole()

    def test_whole_partial_file_needs_no_request(self):
        self.cache.mkdir(parents=True)
        (self.cache / "mobilenet_v2.pth.part").write_bytes(WEIGHTS)
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/weights.pth"), [])

    def test_foreign_partial_file_is_removed_so_that_the_next_run_succeeds(self):
        self.cache.mkdir(parents=True)
        (self.cache / "mobilenet_v2.pth.part").write_bytes(bytes(1234))
        self.assert_fails(self.fetch(), "wrong checksum")
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)

    def test_partial_file_longer_than_the_real_one_is_replaced(self):
        self.cache.mkdir(parents=True)
        (self.cache / "mobilenet_v2.pth.part").write_bytes(bytes(len(WEIGHTS) + 10))
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/weights.pth"), [f"bytes={len(WEIGHTS) + 10}-", None])

    def test_server_without_ranges_sends_all_again(self):
        self.server.ranges_supported = False
        self.cache.mkdir(parents=True)
        (self.cache / "mobilenet_v2.pth.part").write_bytes(WEIGHTS[:1234])
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/weights.pth"), ["bytes=1234-", None])

    def test_interrupted_transfer_is_completed_by_the_second_run(self):
        self.server.byte_budget = len(ARCHIVE) // 2
        result = self.fetch(EDGEPRUNE_WEIGHTS="random")
        self.assert_found(result, "synthetic", "random")
        self.assertIn("NO REAL DATA", result.stderr)
        part = self.cache / "cifar-10-binary.tar.gz.part"
        self.assertEqual(part.read_bytes(), ARCHIVE[: len(ARCHIVE) // 2])

        self.server.byte_budget = None
        self.server.requests.clear()
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/cifar.tar.gz"), [f"bytes={len(ARCHIVE) // 2}-"])
        self.assert_cache_is_whole()

    def test_run_killed_while_unpacking_is_completed_by_the_next(self):
        (self.cache / "unpack" / "cifar-10-batches-bin").mkdir(parents=True)
        (self.cache / "cifar-10-binary.tar.gz").write_bytes(ARCHIVE)
        self.assert_found(self.fetch(), self.cached_data, self.cached_weights)
        self.assertEqual(self.server.ranges_of("/cifar.tar.gz"), [])
        self.assert_cache_is_whole()


class Offline(FetchTest):
    def test_unreachable_server_falls_back_loudly(self):
        nowhere = "http://127.0.0.1:1/"
        result = self.fetch(EDGEPRUNE_DATA_URL=nowhere, EDGEPRUNE_WEIGHTS_URL=nowhere)
        self.assert_found(result, "synthetic", "random")
        for fragment in ("NO REAL DATA", "SYNTHETIC", "NO PRETRAINED WEIGHTS", "RANDOM", nowhere, "*" * 80):
            self.assertIn(fragment, result.stderr)

    def test_missing_page_falls_back_loudly(self):
        result = self.fetch(EDGEPRUNE_DATA_URL=self.server.url("/moved"))
        self.assert_found(result, "synthetic", self.cached_weights)
        self.assertIn("404", result.stderr)


class Given(FetchTest):
    def setUp(self):
        super().setUp()
        self.data = self.home / "my data=set"
        self.data.mkdir()
        self.weights = self.home / "weights"
        self.weights.mkdir()
        for name in ("a.pth", "mobilenet_v2-imagenet.pth", "z.safetensors"):
            (self.weights / name).write_bytes(b"weights")

    def tearDown(self):
        self.assertEqual(self.server.requests, [])

    def test_folder_and_file_are_used_as_absolute_paths(self):
        result = self.fetch(EDGEPRUNE_DATA=self.data.name, EDGEPRUNE_WEIGHTS="weights/a.pth")
        self.assert_found(result, self.data, self.weights / "a.pth")
        self.assertEqual(result.stderr, "")

    def test_folder_of_weights_prefers_mobilenet_v2(self):
        result = self.fetch(EDGEPRUNE_DATA=self.data, EDGEPRUNE_WEIGHTS=self.weights)
        self.assert_found(result, self.data, self.weights / "mobilenet_v2-imagenet.pth")

    def test_folder_of_safetensors(self):
        for pth in self.weights.glob("*.pth"):
            pth.unlink()
        result = self.fetch(EDGEPRUNE_DATA=self.data, EDGEPRUNE_WEIGHTS=self.weights)
        self.assert_found(result, self.data, self.weights / "z.safetensors")

    def test_folder_without_weights_fails(self):
        result = self.fetch(EDGEPRUNE_DATA=self.data, EDGEPRUNE_WEIGHTS=self.data)
        self.assert_fails(result, "EDGEPRUNE_WEIGHTS=", "holds no .pth or .safetensors")

    def test_missing_data_fails(self):
        self.assert_fails(self.fetch(EDGEPRUNE_DATA="/no/such"), "EDGEPRUNE_DATA=/no/such is not a folder")

    def test_missing_weights_fail_before_data_is_downloaded(self):
        self.assert_fails(self.fetch(EDGEPRUNE_WEIGHTS="/no/such"), "EDGEPRUNE_WEIGHTS=/no/such does not exist")

    def test_stand_ins_can_be_asked_for(self):
        result = self.fetch(EDGEPRUNE_DATA="synthetic", EDGEPRUNE_WEIGHTS="random")
        self.assert_found(result, "synthetic", "random")
        self.assertEqual(result.stderr, "")

    def test_unknown_argument_fails(self):
        self.assert_fails(self.fetch("--frobnicate"), "unknown argument '--frobnicate'")


if __name__ == "__main__":
    unittest.main()
