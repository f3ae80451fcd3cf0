"""Full disks, foreign files in the way, two processes at one place: what is saved stays whole, what is not ours stays."""

import os
import pathlib
import resource
import signal
import time
import unittest

from support import CommandTest, commands


class Faults(CommandTest):
    @property
    def out(self):
        return self.folder / "out.safetensors"

    def train_arguments(self, *more):
        return ("train", "--data", "synthetic:40", "--weights", "random", "--out", self.out, "--epochs", 1, "--batch", 20,
                "--threads", 1, "--format", "json", *more)

    def prune_arguments(self, out):
        return "prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, "--out", out

    def with_stderr(self, stderr, *arguments):
        process = self.start(*arguments, stderr=stderr)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def test_remarks_that_cannot_be_written_lose_no_work(self):
        reading, writing = os.pipe()
        os.close(reading)
        with open("/dev/full", "w") as full, open(writing, "w") as unread:
            for stderr in (full, unread):
                code, output = self.with_stderr(stderr, *self.train_arguments())
                self.assertEqual(code, 0)
                self.assertIn('"epoch":1', output)
                self.assertTrue(self.out.exists())
                self.out.unlink()
                self.assertEqual(self.with_stderr(stderr, "info", "--model", self.out), (1, ""))
                self.assertEqual(self.with_stderr(stderr, "nonsense"), (2, ""))

    def test_results_that_cannot_be_written_are_an_error(self):
        with open("/dev/full", "w") as full:
            for arguments in (("--help",), ("--version",), *((command, "--help") for command in commands()),
                              ("info", "--model", self.base)):
                process = self.start(*arguments, stdout=full)
                _, errors = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 1, arguments)
                self.assertRegex(errors, r"\Aedgeprune: standard output: cannot write[^\n]*\n\Z", arguments)

    def test_a_reader_of_results_that_went_away_ends_the_command_without_a_word(self):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as unread:
            process = self.start("info", "--model", self.base, stdout=unread)
            _, errors = process.communicate(timeout=120)
        self.assertEqual((process.returncode, errors), (-signal.SIGPIPE, ""))

    def test_names_of_temporary_files_that_are_taken(self):
        precious = self.folder / "precious"
        precious.write_text("kept")

        def plant():  # in the process that will become the command, and so has its number
            for number, make in enumerate((lambda p: p.symlink_to(precious), os.mkfifo, pathlib.Path.mkdir)):
                make(self.folder / f".edgeprune-{os.getpid()}-{number}.tmp")

        for arguments in (self.train_arguments(), self.prune_arguments(self.out)):
            self.succeed(*arguments, preexec_fn=plant)
            self.assertEqual(precious.read_text(), "kept")
            self.succeed("info", "--model", self.out)

    def test_what_is_not_ours_is_left_alone(self):
        foreign = {name: self.folder / name for name in
                   ("out.safetensors.tmp4194000", "notes.tmp", "x.tmpl", ".edgeprune-7.tmp", "study.json.tmp7")}
        for path in foreign.values():
            path.write_text("kept")
        self.succeed(*self.train_arguments())
        code, _, errors = self.run_command("study", "--data", "synthetic:40", "--weights", "random", "--quick",
                                           "--out", self.folder, "--lr", "1e38")
        self.assertEqual(code, 1, errors)
        self.assertTrue((self.folder / "study.json").exists(), "it got as far as its folder")
        for path in foreign.values():
            self.assertEqual(path.read_text(), "kept")

    def test_two_at_one_place(self):
        # An epoch that outlasts the test: the first is at work when the second comes, and writes nothing meanwhile.
        first = self.start("train", "--data", "synthetic:20000", "--weights", "random", "--out", self.out, "--threads", 1)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        lock = pathlib.Path(f"{self.out}.lock")
        while not lock.exists() or lock.read_text() != str(first.pid):
            self.assertIsNone(first.poll())
            time.sleep(0.05)
        says = f"{lock}: process {first.pid} is at work here"
        self.fail(*self.train_arguments(), says=says)
        self.fail(*self.prune_arguments(self.out), says=says)
        self.fail("import", self.base, self.out, says=says)
        first.kill()
        first.communicate()
        self.succeed(*self.train_arguments())  # what a kill leaves hinders nobody
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [self.out.name, f"{self.out.name}.epochs.csv"])

    def test_a_lock_that_is_none(self):
        precious = self.folder / "precious"
        precious.write_text("kept")
        lock = pathlib.Path(f"{self.out}.lock")
        lock.symlink_to(precious)
        self.fail(*self.train_arguments(), says="is a symbolic link")
        lock.unlink()
        lock.write_text("of my bicycle")
        self.fail(*self.train_arguments(), says="is no lock")
        self.assertEqual((precious.read_text(), lock.read_text()), ("kept", "of my bicycle"))

    def test_files_that_may_not_grow(self):
        """The signal SIGXFSZ kills who does not ignore it, as with `ulimit -f` in a shell."""
        def limit_file_size():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        for arguments in (self.train_arguments(), self.prune_arguments(self.out), ("import", self.base, self.out)):
            code, _, errors = self.run_command(*arguments, preexec_fn=limit_file_size)
            self.assertEqual(code, 1, errors)
            self.assertIn(f"edgeprune: {self.out}", errors.splitlines()[-1])
            self.assertIn(os.strerror(27), errors.splitlines()[-1])
            self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_missing_folder_is_named_before_the_work(self):
        missing = self.folder / "missing"
        says = f"{missing}/out: there is no folder {missing}\n"
        # Neither data nor models are there: the place is looked at before them.
        nothing = self.folder / "nothing"
        for arguments in (("train", "--data", nothing, "--weights", nothing, "--out"),
                          ("prune", "--model", nothing, "--method", "magnitude", "--sparsity", 0.5, "--out"),
                          ("compact", "--model", nothing, "--out"),
                          ("import", nothing),
                          ("latency", "--model", nothing, "--samples")):
            self.fail(*arguments, missing / "out", says=says)
        self.fail("train", "--data", nothing, "--weights", nothing, "--out", "/dev/null", says="is no regular file")
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())


if __name__ == "__main__":
    unittest.main()
