"""Whatever is wrong: one line on stderr, a non-zero exit, nothing half-written."""

import json
import os
import resource
import signal
import struct
import time
import unittest

from support import SHARED, CommandTest, commands, write_image_folder


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class BadInput(CommandTest):
    @property
    def out(self):
        return self.folder / "out.safetensors"

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def train(self, *arguments, **options):
        return self.fail("train", "--out", self.out, "--threads", 1, *arguments, **options)

    def test_command_line(self):
        self.fail(code=2)
        self.fail("nonsense", code=2)
        for command in commands():
            self.fail(command, "--nonsense", code=2)
        self.fail("info", "--model", self.base, "--nonsense", says="--nonsense", code=2)
        self.fail("info", "--model", self.base, "--format", "xml", says="xml", code=2)
        self.fail("eval", "--model", self.base, "--data", "synthetic:20", "--engine", "fast", says="fast", code=2)
        for flag, value in (("--threads", 0), ("--threads", "two"), ("--batch", 0), ("--batch", -1),
                            ("--limit", -1)):
            self.fail("eval", "--model", self.base, "--data", "synthetic:20", flag, value, says=flag, code=2)
        for flag, value in (("--epochs", -1), ("--epochs", "1e99"), ("--lr", 0), ("--lr", "fast"), ("--batch", 0),
                            ("--optimizer", "lbfgs"), ("--lr-schedule", "linear"), ("--val-split", -5),
                            ("--weight-decay", -1), ("--crop-padding", 5000)):
            self.train("--data", "synthetic:40", "--weights", "random", flag, value, says=flag, code=2)
        self.train("--data", "synthetic:40", "--weights", "random", "--model", self.base, code=2)
        for flag, value in (("--batch", "1,0"), ("--batch", "1,x"), ("--threads", 0), ("--seconds", -1),
                            ("--min-samples", 0), ("--warmup", -1), ("--engine", "dense,fast")):
            self.fail("latency", "--model", self.base, flag, value, says=flag, code=2)
        self.fail("latency", "--model", self.base, "--seconds", "nan",
                  says="--seconds: expected a finite number of 0 or more, got nan", code=2)
        for flag, value in (("--seed", 2**64), ("--seed", -1), ("--seed", 1.5), ("--mean", "nan,0,0"), ("--std", "1,1,0"),
                            ("--width", "nan"), ("--rotation", "nan"), ("--colour", "inf"), ("--label-smoothing", "nan")):
            self.train("--data", "synthetic:40", "--weights", "random", flag, value, says=f"{flag}: expected", code=2)
        for options in (("--schedule", "exact", "--steps", 3), ("--step", "0.3"), ("--schedule", "cubic", "--step", "0.3")):
            self.fail("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, *options,
                      says="is for --schedule", code=2)
        # The whole message: not the largest double's 309 digits as well.
        self.train("--data", "synthetic:40", "--weights", "random", "--batch", 0,
                   says="--batch: expected a finite number above 0, got 0\n", code=2)

    def test_what_no_model_and_no_data_can_make_right_is_wrong_usage(self):
        """And is found before either is read: neither is there."""
        prune = ("prune", "--model", "missing", "--method", "magnitude", "--sparsity", 0.5, "--out", self.out)
        self.fail(*prune, "--schedule", "exact", "--step", 0, says="expected a step in [0.001, 1), got 0", code=2)
        self.fail(*prune, "--schedule", "exact", "--sparsity", 0, code=2)
        self.fail(*prune, "--schedule", "exact", says="--data is missing", code=2)
        for distill in ("nan,0.5", "4", "4,1.5", "4,nan", "0,0.5", "4,0.5,1", "x"):
            says = f"--distill: expected T,alpha with T above 0 and alpha in [0, 1], as 4,0.5; got '{distill}'\n"
            self.fail(*prune, "--data", "missing", "--epochs", 1, "--distill", distill, says=says, code=2)
            self.train("--data", "missing", "--model", "missing", "--teacher", "missing", "--distill", distill, says=says, code=2)
            self.fail("study", "--data", "missing", "--weights", "random", "--distill", distill, says=says, code=2)
        train = ("--data", "missing", "--model", "missing")
        self.train(*train, "--distill", "4,0.5", says="--distill and --teacher go together", code=2)
        self.train(*train, "--teacher", "missing", says="--distill and --teacher go together", code=2)
        self.train(*train, "--teacher", "missing", "--distill", "4,0.5", "--label-smoothing", 0.1, says="excludes --distill", code=2)
        self.train(*train, "--bn-recalibrate", 1, says="--bn-recalibrate: expected 0, or 2 images at least, got 1", code=2)
        self.train("--data", "missing", "--weights", "random", "--class-names", "a,b", says="--class-names is for --model", code=2)
        for flag in ("--explain", "--retime"):
            self.fail("latency", "--model", "missing", "--engine", "dense,sparse", flag, says="--engine auto", code=2)
        self.fail("import", "missing", self.out, "--classes", 3, "--class-names", "a,b",
                  says="--classes 3 and 2 --class-names contradict each other", code=2)
        evaluate = ("eval", "--model", "missing", "--data", "missing")
        self.fail(*evaluate, "--confusion", self.folder / "c.xyz", says="--confusion: expected a file ending in", code=2)
        self.fail("sensitivity", "--model", "missing", "--data", "missing", "--levels", "0,0.5",
                  says="--levels: expected a finite number above 0, got 0", code=2)
        for data in ("synthetic:0", "synthetic:x", "synthetic:-5", "synthetic:", "synthetic:1000001", "synthetic:2x"):
            says = f"--data: expected synthetic:N with a number N of images from 1 to 1000000, got '{data}'"
            self.train("--data", data, "--weights", "random", says=says, code=2)
            self.fail("eval", "--model", "missing", says=says, code=2, EDGEPRUNE_DATA=data)

    def test_a_list_has_nothing_twice(self):
        for command, flag, value, twice in (
                ("latency", "--engine", "dense,sparse,dense", "dense"), ("latency", "--batch", "1,64,1", "1"),
                ("breakeven", "--threads", "1,1", "1"), ("eval", "--engine", "auto,auto", "auto"),
                ("eval", "--class-names", "cat,dog,cat", "cat"), ("sensitivity", "--class-names", "cat,cat", "cat")):
            self.fail(command, "--model", "missing", flag, value, says=f"{flag}: {twice} is given twice", code=2)
        self.fail("latency", "--model", "missing", "--batch", 1, "--batch", 1, says="--batch: 1 is given twice", code=2)
        self.fail("study", "--seeds", "0,1,0", says="--seeds: 0 is given twice", code=2)
        self.fail("prune", "--model", "missing", "--method", "lamp", "--sparsity", 0.5, "--keep", "features.0.0,features.0.0",
                  says="--keep: features.0.0 is given twice", code=2)

    def test_a_slip_of_the_pen_is_named_not_what_it_leaves_missing(self):
        self.fail("eval", "--modle", self.base, says="[eval] there is no option --modle: did you mean --model?\n", code=2)
        self.fail("prune", "--model", self.base, "--method", "lamp", "--sparcity=0.5",
                  says="[prune] there is no option --sparcity: did you mean --sparsity?\n", code=2)
        self.fail("prune", "--model", self.base, "--method", "lamp", "--sparsity", 0.5, "--schdule", "exact", "--step", 0.2,
                  says="there is no option --schdule: did you mean --schedule?\n", code=2)
        self.fail("eval", "--model", self.base, "--frobnicate", 3, says="[eval] there is no option --frobnicate\n", code=2)
        self.fail("eval", "--model", self.base, "surplus", says="[eval] 'surplus' is one argument too many\n", code=2)
        self.fail("evla", says="there is no command 'evla': did you mean eval?", code=2)
        self.fail("xyz", says="there is no command 'xyz' (edgeprune --help lists them)\n", code=2)

    def test_a_pipe_is_no_checkpoint_and_is_not_waited_for(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.fail("info", "--model", pipe, says="pipe: not a regular file")

    def test_what_is_missing(self):
        self.train("--weights", "random", says="--data is missing", code=2)
        self.train("--data", "synthetic:40", says="--weights", code=2)
        self.fail("eval", "--model", self.base, says="--data is missing", code=2)
        self.fail("study", "--weights", "random", "--out", self.folder / "study", says="--data is missing", code=2)
        self.fail("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, says="--out", code=2)
        self.fail("report", self.folder, says="runs.jsonl")
        self.file("runs.jsonl", b"")
        self.fail("report", self.folder, says="runs.jsonl")
        self.file("runs.jsonl", b"this is no record\n")
        self.fail("report", self.folder, says="line 1")

    def test_environment(self):
        self.fail("info", "--model", self.base, EDGEPRUNE_SIMD="nonsense", says="nonsense", code=2)
        self.train("--data", "synthetic:40", EDGEPRUNE_WEIGHTS=str(self.folder / "missing.pth"), says="missing.pth")
        self.train("--weights", "random", EDGEPRUNE_DATA=str(self.folder / "missing"), says="missing")

    def test_openmp_complains_once_and_never_of_what_decides_nothing(self):
        for threads in ("0", "many", "-2", "", "2x", "2,0", "2 2", ",", "9" * 20):
            code, _, errors = self.run_command("info", "--model", self.base, OMP_NUM_THREADS=threads)
            self.assertEqual((code, errors),
                             (0, "note: OMP_NUM_THREADS is no number of threads; ignored, as --threads decides\n"), threads)
        for variable in ("OMP_DYNAMIC", "OMP_SCHEDULE", "OMP_STACKSIZE", "GOMP_STACKSIZE", "OMP_THREAD_LIMIT"):
            _, _, errors = self.run_command("info", "--model", self.base, **{variable: "nonsense"})
            self.assertRegex(errors, r"\A\nlibgomp: [^\n]+\n\Z", variable)
        for threads in ("2", " 2 , 1 "):  # sound ones are left: OpenMP shows what it was told
            _, _, errors = self.run_command("info", "--model", self.base, OMP_NUM_THREADS=threads, OMP_DISPLAY_ENV="true")
            self.assertIn(f"OMP_NUM_THREADS = '{threads.replace(' ', '')}'", errors)

    def test_sparsity(self):
        for sparsity in ("1.0", "1.5", "-0.1", "nan", "inf"):
            for method in ("magnitude", "channel"):
                self.fail("prune", "--model", self.base, "--method", method, f"--sparsity={sparsity}", "--out", self.out,
                          says=f"--sparsity: expected a fraction in [0, 1), as 0.5, or a percentage, as 50%, got {sparsity}", code=2)
        self.fail("prune", "--model", self.base, "--method", "magnitude", "--sparsity", "half", "--out", self.out, code=2)
        self.fail("prune", "--model", self.base, "--method", "l1", "--sparsity", 0.5, "--out", self.out, code=2)
        pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", pruned)
        self.fail("prune", "--model", pruned, "--method", "magnitude", "--sparsity", 0.3, "--out", self.out,
                  says="zero already")

    def test_breakeven(self):
        def refused(*arguments, says, **options):
            self.fail("breakeven", "--model", self.base, "--out", self.folder / "out", *arguments, says=says, **options)

        for levels in ("50", "1", "100%", "0,1.5", "nan", "0.5,inf", "0.5,50"):
            refused("--levels", levels, says="--levels: expected a fraction in [0, 1), as 0.5, or a percentage, as 50%", code=2)
        refused("--levels=-0.05", says="[0, 1)", code=2)
        refused("--levels", "half", says="--levels", code=2)
        refused("--batch", "1,0", says="--batch", code=2)
        pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", pruned)
        refused("--model", pruned, says="--model", code=2)
        self.fail("breakeven", "--model", pruned, "--levels", "0.3,0.8", "--out", self.folder / "out",
                  says="50.0 % of the prunable weights are zero already")
        self.fail("breakeven", "--model", self.base, "--out", pruned, says=str(pruned))

    def test_ctrl_c_ends_a_measurement(self):
        for command in ("latency", "breakeven"):
            process = self.start(command, "--model", self.base, "--batch", 1, "--threads", 1, "--seconds", 1e6,
                                 cwd=self.folder)
            while cpu_seconds(process.pid) < 0.5:  # it is at work, however busy the machine
                self.assertIsNone(process.poll())
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 130, errors)
            self.assertIn("edgeprune: interrupted", errors.splitlines()[-1])

    def test_checkpoints(self):
        good = self.base.read_bytes()
        (length,) = struct.unpack("<Q", good[:8])
        bad = {
            "empty": b"",
            "seven bytes": good[:7],
            "cut in the header": good[: 8 + length // 2],
            "cut in the weights": good[:-1000],
            "surplus bytes": good + b"x",
            "foreign": b"\x89PNG\r\n\x1a\n" + bytes(1000),
            "a header of 2^60 bytes": struct.pack("<Q", 1 << 60) + good[8:],
            "without tensors": struct.pack("<Q", 2) + b"{}",
            "another format": good.replace(b"edgeprune/1", b"edgeprune/9"),
            "a damaged graph": good.replace(b'\\"kernel\\"', b'\\"colonel\\"'),
            "an unknown kind": good.replace(b'\\"batch_norm\\"', b'\\"patch_norm\\"'),
            "a missing node": good.replace(b'\\"inputs\\":[\\"features.0.0\\"]', b'\\"inputs\\":[\\"features.0.7\\"]'),
            "a tiny input": good.replace(b'\\"height\\":64', b'\\"height\\":16').replace(b'\\"width\\":64', b'\\"width\\":16'),
            "wrong shapes": good.replace(b'\\"out_channels\\":1280', b'\\"out_channels\\":1288'),
            "a tensor renamed": good.replace(b'"features.0.0.weight"', b'"features.0.0.wheat!"'),
        }
        for name, content in bad.items():
            path = self.file(name + ".safetensors", content)
            self.assertNotEqual(content, good, name)
            self.fail("info", "--model", path)
            self.fail("eval", "--model", path, "--data", "synthetic:20")
            self.fail("prune", "--model", path, "--method", "channel", "--sparsity", 0.5, "--out", self.out)
        self.fail("info", "--model", self.folder, says="not a regular file")
        self.fail("info", "--model", self.folder / "missing", says="missing: No such file")
        self.fail("import", self.folder / "empty.safetensors", self.out)
        self.fail("import", self.base, self.out, "--width", 0.5, says="features.0.0.weight")

    def test_pretrained_weights(self):
        for name, content in {"empty.pth": b"", "text.pth": b"no weights\n", "pickle.pth": b"\x80\x02]q\x00.",
                              "zip.pth": b"PK\x03\x04" + bytes(100)}.items():
            self.fail("import", self.file(name, content), self.out, says=name)
            self.train("--data", "synthetic:40", "--weights", self.folder / name, says=name)
        for flags in (("--classes", 0), ("--classes", 10**12), ("--classes", "ten"), ("--width", 0),
                      ("--input-size", 8)):
            self.fail("import", self.base, self.out, *flags, says=flags[0], code=2)
        self.fail("import", self.base, self.out, "--width", "nan", says="--width: expected a number from 0.01 to 16, got nan",
                  code=2)

    def test_a_pipe_is_no_file_and_is_not_waited_for(self):
        for name in ("pipe.safetensors", "pipe.pth", "pipe"):
            pipe = self.folder / name
            os.mkfifo(pipe)
            self.fail("info", "--model", pipe, says="not a regular file")
            self.fail("train", "--data", "synthetic:40", "--weights", pipe, "--out", self.folder / "m",
                      says="not a regular file")
            self.fail("predict", "--model", self.base, pipe, says=f"{pipe}")
            pipe.unlink()

    def test_a_link_is_no_place_to_write_to(self):
        link, file = self.folder / "link", self.folder / "file"
        file.write_text("kept")
        link.symlink_to(file)
        self.fail("compact", "--model", self.base, "--out", link, says=f"{link}: is a link")
        self.assertTrue(link.is_symlink() and file.read_text() == "kept")

    def test_truncated_pth(self):
        for name in ("mobilenet_v2-imagenet.pth", "mobilenet_v2-imagenet-legacy.pth"):
            if not (SHARED / "weights" / name).exists():
                self.skipTest(f"needs {SHARED}/weights (set EDGEPRUNE_SHARED)")
            content = (SHARED / "weights" / name).read_bytes()
            for length in (100, len(content) // 2, len(content) - 1):
                self.fail("import", self.file("cut.pth", content[:length]), self.out, says="cut.pth")

    def test_data(self):
        for data in (self.folder, self.folder / "missing"):
            self.train("--data", data, "--weights", "random")
        self.train("--data", "synthetic:40", "--weights", "random", "--val-split", 31, says="--val-split 31")
        self.train("--data", "synthetic:40", "--weights", "random", "--limit", 9, says="--limit 9")
        data = self.folder / "data"
        write_image_folder(data, ["cat", "dog", "frog"])
        self.fail("eval", "--model", self.base, "--data", data, says="the model has 10 classes")
        self.train("--data", data, "--model", self.base, "--batch", 2, says="the model has 10 classes")
        (data / "train" / "dog" / "1.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))
        self.train("--data", data, "--weights", "random", "--batch", 2, says="1.jpg")
        for image in (data / "train" / "dog").iterdir():
            image.unlink()
        self.train("--data", data, "--weights", "random", "--batch", 2, says="dog")
        (self.folder / "cifar").mkdir()
        self.file("cifar/test_batch.bin", bytes(3073 + 5))
        self.fail("eval", "--model", self.base, "--data", self.folder / "cifar", says="test_batch.bin")

    def test_images(self):
        for name, content in {"empty.jpg": b"", "cut.png": b"\x89PNG\r\n\x1a\n", "text.bmp": b"BM no"}.items():
            self.fail("predict", "--model", self.base, self.file(name, content), says=name)
        self.fail("predict", "--model", self.base, self.folder / "missing.jpg", says="missing.jpg")

    def test_diverging_training(self):
        for rate in ("1e30", "1e38"):
            error = self.train("--data", "synthetic:40", "--weights", "random", "--batch", 10, "--lr", rate, "--epochs", 1)
            self.assertIn("learning rate", error)
        for flag in ("--lr", "--weight-decay"):
            self.train("--data", "synthetic:40", "--weights", "random", "--batch", 10, flag, "nan", says="got nan", code=2)

    def test_unwritable_output(self):
        self.file("file", b"")
        folder = self.folder / "folder"
        folder.mkdir()
        for out in (self.folder / "missing" / "m.safetensors", self.folder / "file" / "m.safetensors", folder,
                    "/proc/m.safetensors"):
            self.fail("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, "--out", out)
            self.fail("import", self.base, out)
            self.fail("train", "--data", "synthetic:40", "--weights", "random", "--batch", 10, "--out", out)
        self.fail("study", "--data", "synthetic:40", "--weights", "random", "--quick", "--batch", 10, "--out",
                  self.folder / "file")
        with open("/dev/full", "w") as full:
            process = self.start("info", "--model", self.base, "--format", "csv", stdout=full)
            _, errors = process.communicate()
            self.assertEqual(process.returncode, 1)
            self.assertRegex(errors, r"\Aedgeprune: standard output: [^\n]+\n\Z")

    def test_full_disk(self):
        def limit_file_size():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        old = self.file("out.safetensors", b"old")
        self.fail("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, "--out", old,
                  preexec_fn=limit_file_size, says=os.strerror(27))
        self.train("--data", "synthetic:40", "--weights", "random", "--batch", 10, "--epochs", 0,
                   preexec_fn=limit_file_size, says=os.strerror(27))
        self.assertEqual(old.read_bytes(), b"old")

    def latency(self, *arguments, **options):
        return self.fail("latency", "--model", self.base, "--batch", 1, "--engine", "dense", "--seconds", 0,
                         "--warmup", 0, "--min-samples", 1, *arguments, **options)

    def test_samples_that_cannot_be_written(self):
        self.latency("--samples", self.folder / "missing" / "s.jsonl", says="there is no folder")
        self.latency("--samples", self.folder, says=str(self.folder))
        self.latency("--samples", "/dev/full", says="/dev/full")
        self.assertFalse(os.path.isfile("/dev/full"), "replaced by a file")

    def test_a_disk_full_of_samples(self):
        """The table was measured for: it is printed all the same."""
        def limit_file_size():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        old = self.file("samples.jsonl", b"old")
        code, output, errors = self.run_command(
            "latency", "--model", self.base, "--engine", "dense,sparse", "--batch", 1, "--seconds", 0, "--warmup", 0, "--min-samples", 1,
            "--samples", old, "--format", "json", preexec_fn=limit_file_size)
        *notes, error = errors.splitlines()
        self.assertEqual((code, error), (1, f"edgeprune: {old}: cannot write: {os.strerror(27)}"))
        self.assertTrue(all(note.startswith("note: ") for note in notes), errors)  # of a busy machine
        self.assertEqual([row["engine"] for row in json.loads(output)], ["dense", "sparse"])
        self.assertEqual(old.read_bytes(), b"old")
        self.assertEqual(list(self.folder.iterdir()), [old])


if __name__ == "__main__":
    unittest.main()
