"""bench/peers' comparison of training without PyTorch: the images and their order against edgeprune's, rounds, tables, bad input."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"
sys.path.insert(0, str(PEERS))

import compare_loading
import compare_training
import compare_under_load
import data_order
import rounds
import table
import training_set

EDGEPRUNE = """#!/bin/sh
echo "epoch 1/2" >&2
echo '[{"images_per_second": 1}, {"images_per_second": 300, "training_loss": 0.5, "loader_wait_percent": 0.25}]'
"""
PEER = """import json, sys
limit, batch = (int(sys.argv[sys.argv.index(name) + 1]) for name in ("--limit", "--batch"))
print(json.dumps({"peak_mib": 5, "epochs": [{}, {"images_per_second": 100, "training_loss": limit / batch}]}))
"""


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune peers ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Loading(InFolder):
    def script(self, name, body):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)
        return str(path)

    def test_a_row_has_the_ratio_of_whole_processes(self):
        fast, slow = self.script("fast", "exit 0\n"), self.script("slow", "sleep 0.2\n")
        options = mock.Mock(edgeprune=fast, rounds=3)
        row = compare_loading.compare(options, slow, "file.pth")
        self.assertEqual({column.key for column in compare_loading.COLUMNS}, row.keys())
        self.assertGreaterEqual(row["torch_ms"], 200)
        self.assertLess(row["edgeprune_ms"], row["torch_ms"])
        self.assertGreater(row["ratio"], 1)

    def test_what_fails_is_no_time(self):
        with self.assertRaisesRegex(rounds.RunFailed, "fails -c failed .3.: no such file"):
            compare_loading.milliseconds([self.script("fails", "echo no such file >&2; exit 3\n"), "-c"])


class DataOrder(unittest.TestCase):
    """The expected numbers are what edgeprune's Rng, limit() and Loader give."""

    def test_engine_is_the_one_of_the_cpp_standard(self):
        engine = data_order.Mt19937_64(5489)
        for _ in range(9999):
            engine.bits()
        self.assertEqual(engine.bits(), 9981545732273789042)

    def test_streams(self):
        rng = data_order.Rng(1, 2, 3)
        draws = [rng.bits() for _ in range(400)]
        self.assertEqual(draws[:2], [11085911823592300295, 18099881059846775871])
        self.assertEqual(draws[-1], 2488890960452206739)
        self.assertEqual(data_order.Rng(0).bits(), 15810367513249299677)

    def test_below(self):
        rng = data_order.Rng(6)
        self.assertEqual([rng.below(10) for _ in range(12)], [0, 0, 7, 6, 2, 0, 5, 5, 6, 5, 4, 7])

    def test_epoch_order(self):
        self.assertEqual(data_order.epoch_order(12, seed=5, epoch=3), [0, 7, 1, 9, 5, 8, 4, 2, 6, 10, 11, 3])

    def test_order_and_flips_of_a_loader(self):
        order = data_order.epoch_order(24, seed=4, epoch=2)
        self.assertEqual(order, [17, 2, 11, 14, 5, 19, 13, 9, 6, 0, 21, 20, 10, 12, 15, 22, 1, 23, 8, 4, 16, 7, 18, 3])
        flips = "".join(str(int(data_order.is_flipped(index, seed=4, epoch=2))) for index in order)
        self.assertEqual(flips, "111101110011010001000101")

    def test_selection_of_equal_classes_is_balanced(self):
        labels = [i % 3 for i in range(24)]
        self.assertEqual(data_order.select_in_proportion(labels, 8, seed=9), [3, 7, 11, 12, 19, 21, 22, 23])

    def test_selection_in_proportion(self):
        labels = [i % 7 % 3 for i in range(24)]
        self.assertEqual(data_order.select_in_proportion(labels, 8, seed=9), [3, 6, 8, 9, 10, 18, 21, 23])
        self.assertEqual(data_order.select_in_proportion(labels, 25, seed=9), list(range(24)))


class TrainingSet(InFolder):
    def write_batches(self, folder, last=b""):
        folder.mkdir(exist_ok=True)
        for batch in range(1, 6):
            record = bytes([batch]) + bytes([batch, 10 * batch]) * (training_set.PIXELS // 2)
            (folder / f"data_batch_{batch}.bin").write_bytes(record + (last if batch == 5 else b""))

    def test_binary_version(self):
        self.write_batches(self.folder / "cifar-10-batches-bin")
        labels, images, classes = training_set.read_training_set(self.folder)
        self.assertEqual((labels, classes, len(images)), ([1, 2, 3, 4, 5], 10, 5))
        self.assertEqual((len(images[2]), images[2][:2]), (training_set.PIXELS, bytes([3, 30])))

    def test_image_folder_is_in_order_of_bytes(self):
        for name in ("cat/b.jpg", "cat/B.PNG", "cat/notes.txt", "cat/.hidden.jpg", "Dog/1.jpg", "Dog/10.jpg",
                     ".git/x.jpg"):
            path = self.folder / "train" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        labels, images, classes = training_set.read_training_set(self.folder)
        self.assertEqual(classes, 2)
        self.assertEqual([(label, image.name) for label, image in zip(labels, images)],
                         [(0, "1.jpg"), (0, "10.jpg"), (1, "B.PNG"), (1, "b.jpg")])

    def test_bad_data_are_named(self):
        with self.assertRaisesRegex(ValueError, "no training data found"):
            training_set.read_training_set(self.folder)
        with self.assertRaisesRegex(ValueError, "no such folder"):
            training_set.read_training_set(self.folder / "missing")
        self.write_batches(self.folder, b"cut off")
        with self.assertRaisesRegex(ValueError, "data_batch_5.bin: 3080 bytes"):
            training_set.read_training_set(self.folder)
        self.write_batches(self.folder, bytes([10]) * 3073)
        with self.assertRaisesRegex(ValueError, "data_batch_5.bin: has label 10"):
            training_set.read_training_set(self.folder)
        (self.folder / "data_batch_3.bin").unlink()
        with self.assertRaisesRegex(OSError, "data_batch_3.bin"):
            training_set.read_training_set(self.folder)
        (self.folder / "train" / "cat").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "cat: no images found"):
            training_set.read_training_set(self.folder)


class Table(unittest.TestCase):
    COLUMNS = [table.Column("what, exactly", "what"), table.Column("ms", "ms", 2)]
    ROWS = [{"what": "a", "ms": 1.23456}, {"what": "b"}]

    def test_markdown(self):
        self.assertEqual(table.render(self.COLUMNS, self.ROWS, "md"),
                         "| what, exactly |   ms |\n|--------------:|-----:|\n"
                         "|             a | 1.23 |\n|             b |      |\n")

    def test_csv(self):
        self.assertEqual(table.render(self.COLUMNS, self.ROWS, "csv"), '"what, exactly",ms\na,1.23\nb,\n')

    def test_json_keeps_every_digit(self):
        rows = json.loads(table.render(self.COLUMNS, self.ROWS, "json"))
        self.assertEqual(rows, [{"what": "a", "ms": 1.23456}, {"what": "b", "ms": None}])
        self.assertEqual(json.loads(table.render(self.COLUMNS, [], "json")), [])


class Rounds(unittest.TestCase):
    def test_contenders_take_turns(self):
        calls = []
        results = rounds.interleave({name: lambda name=name: calls.append(name) or len(calls) for name in "AB"}, 3)
        self.assertEqual("".join(calls), "ABABAB")
        self.assertEqual(results, {"A": [1, 3, 5], "B": [2, 4, 6]})

    def test_ratio_of_medians_and_its_spread(self):
        self.assertEqual(rounds.ratio([10, 40, 20], [5, 10, 10]), (2, 2, 4))

    def test_run_sets_threads_and_measures_memory(self):
        script = "import os; hog = b'x' * (100 << 20); print(os.environ['OMP_NUM_THREADS'])"
        result = rounds.run([sys.executable, "-c", script], 3)
        self.assertEqual(result.output, 3)
        self.assertTrue(100 < result.peak_mib < 300, result.peak_mib)

    def test_failure_is_told_in_the_last_words(self):
        with self.assertRaisesRegex(rounds.RunFailed, r"^python\S* -c failed \(1\): it broke$"):
            rounds.run([sys.executable, "-c", "import sys; print('first', file=sys.stderr); sys.exit('it broke')"], 1)
        with self.assertRaisesRegex(rounds.RunFailed, "printed no JSON"):
            rounds.run([sys.executable, "-c", "print('hello')"], 1)


class CompareTraining(InFolder):
    def setUp(self):
        super().setUp()
        self.binary, self.peer, self.weights = (self.folder / name for name in ("edgeprune", "peer.py", "weights.pth"))
        self.binary.write_text(EDGEPRUNE)
        self.binary.chmod(0o755)
        self.peer.write_text(PEER)
        self.weights.touch()

    def options(self, **changed):
        values = {"edgeprune": self.binary, "data": self.folder, "weights": self.weights} | changed
        return [str(word) for name, value in values.items() for word in (f"--{name}", value)]

    def failure(self, script, *words):
        """Without site-packages, hence without torch wherever the test runs."""
        result = subprocess.run([sys.executable, "-BES", PEERS / script, *words], text=True, capture_output=True,
                                timeout=60, stdin=subprocess.DEVNULL)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_row_of_stub_contenders(self):
        options = compare_training.arguments(self.options(steps=7))
        with mock.patch.object(compare_training, "PEER", self.peer), mock.patch("sys.stderr"):
            row = compare_training.compare({"edgeprune": lambda: compare_training.edgeprune(options, 16, 1),
                                            "pytorch": lambda: compare_training.pytorch(options, 16, 1)}, 2, 96, 16, 1)
        self.assertEqual({column.key for column in compare_training.COLUMNS}, row.keys())
        self.assertEqual((row["ratio"], row["lowest_ratio"], row["highest_ratio"]), (3, 3, 3))
        self.assertEqual((row["pytorch_loss"], row["pytorch_mib"], row["loader_wait_percent"]), (7, 5, 0.25))

    def test_rows_under_load_of_stub_programs(self):
        words = ["--program", f"one={self.binary}", "--program", f"two={self.binary}", "--data", self.folder,
                 "--weights", self.weights, "--loops", 0, 1, "--rounds", 2]
        options = compare_under_load.arguments([str(word) for word in words])
        with mock.patch("sys.stderr"):
            rows = compare_under_load.training_rows(options, 16, 1)
        self.assertEqual([(row["program"], row["busy_loops"]) for row in rows],
                         [("one", 0), ("two", 0), ("one", 1), ("two", 1)])
        self.assertEqual({(row["images_per_second"], row["share_of_quiet"]) for row in rows}, {(300, 1)})
        self.assertEqual({column.key for column in compare_under_load.TRAINING_COLUMNS}, rows[0].keys())

    def test_latency_under_load_of_a_stub_pytorch(self):
        words = ["--program", f"one={self.binary}", "--pytorch", "--data", self.folder, "--weights", self.weights,
                 "--loops", 0, 1, "--rounds", 2]
        options = compare_under_load.arguments([str(word) for word in words])
        samples = iter(([1, 2, 3], [4, 5, 60]) * 2)
        with mock.patch.object(rounds, "run", lambda *_: rounds.Run({"samples_ms": next(samples)}, 5)), \
                mock.patch.object(compare_under_load, "latency_samples", lambda *_: [7]):
            rows = compare_under_load.latency_rows(options, "model", 2)
        self.assertEqual([(row["program"], row["median_ms"], row["mean_ms"], row["p99_ms"]) for row in rows],
                         [("one", 7, 7, 7), ("PyTorch", 3.5, 12.5, 5)] * 2)
        self.assertEqual({column.key for column in compare_under_load.LATENCY_COLUMNS}, rows[0].keys())

    def test_busy_loops_are_busy_and_end(self):
        def ticks(process):  # of processor time, after the name in parentheses
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11])
        deadline = time.monotonic() + 60
        with compare_under_load.busy_loops(2) as loops:
            while not all(ticks(loop) >= 10 for loop in loops):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
        self.assertTrue(all(loop.returncode is not None for loop in loops))

    def test_missing_prerequisite_is_one_line(self):
        missing = self.folder / "missing"
        for words, message in ((self.options(edgeprune=missing), "missing: no such program"),
                               (self.options(edgeprune=self.weights), "weights.pth: no such program"),
                               (self.options(data=missing), "missing: no such folder of data"),
                               (self.options(weights=missing), "missing: no such file of weights"),
                               (self.options(), "Python has no torch ")):
            errors = self.failure("compare_training.py", *words)
            self.assertEqual(errors.count("\n"), 1, errors)
            self.assertIn(message, errors)

    def test_wrong_argument_is_named(self):
        for words, message in ((["--config", "128"], "'128' is not BATCHxTHREADS"),
                               (["--config", "0x2"], "'0x2' is not BATCHxTHREADS"),
                               (["--steps", "0"], "argument --steps: invalid positive value: '0'"),
                               (["--format", "xml"], "argument --format: invalid choice: 'xml'")):
            self.assertIn(message, self.failure("compare_training.py", *self.options(), *words))
        self.assertIn("required: --edgeprune, --data, --weights", self.failure("compare_training.py"))

    def test_training_peer_without_torch_is_one_line(self):
        self.assertRegex(self.failure("pytorch_train.py"), r"^pytorch_train.py: No module named 'torch' .*\n$")


if __name__ == "__main__":
    unittest.main()
