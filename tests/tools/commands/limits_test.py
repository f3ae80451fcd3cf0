"""More images at once, more threads or more memory than there are: one clear line, or the right result."""

import json
import os
import re
import resource
import subprocess
import sys
import unittest

from support import CommandTest, write_image_folder

CORES = len(os.sched_getaffinity(0))


def address_space(megabytes):
    """To run in the child: memory ends there."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2)


class Limits(CommandTest):
    def train_arguments(self, images, batch, *more):
        return ("train", "--data", f"synthetic:{images}", "--weights", "random", "--out",
                self.folder / "out.safetensors", "--epochs", 1, "--batch", batch, *more)

    def other_size(self, size, images):
        """self.base for images of another size, and data for its classes."""
        model, data = self.folder / "model.safetensors", self.folder / "data"
        names = [f"class {i}" for i in range(10)]
        self.succeed("import", self.base, model, "--input-size", size, "--class-names", ",".join(names))
        write_image_folder(data, names, images=images)
        return ("train", "--data", data, "--model", model, "--out", self.folder / "out.safetensors", "--epochs", 1)

    def test_a_batch_larger_than_the_data(self):
        for batch in (41, 2**63 - 1):
            code, _, errors = self.run_command(*self.train_arguments(40, batch))
            self.assertEqual(code, 0, errors)
            self.assertIn(f"note: batches of 40 images, which are all (--batch {batch})", errors)
        rows = [self.json_of("eval", "--model", self.base, "--data", "synthetic:40", "--batch", batch, "--threads", 1)[0]
                for batch in (10, 2**63 - 1)]
        self.assertEqual([row["images"] for row in rows], [10, 10])
        self.assertAlmostEqual(rows[0]["loss"], rows[1]["loss"], delta=1e-5)

    def test_a_batch_of_one(self):
        rows = json.loads(self.succeed(*self.train_arguments(4, 1, "--format", "json")))
        self.assertTrue(0 < rows[0]["training_loss"] < 100, rows)
        smallest = self.other_size(32, images=2)  # its last maps are a pixel: nothing to take a variance of
        self.fail(*smallest, "--batch", 1, says="use a larger batch")
        self.succeed(*smallest, "--batch", 2)

    def test_onednns_threads_wait_briefly_unless_the_user_decides(self):
        def spin_counts(**variables):  # of every start of the program: OpenMP prints its settings
            _, _, errors = self.run_command("--version", OMP_DISPLAY_ENV="verbose", **variables)
            return re.findall(r"GOMP_SPINCOUNT = '(\w+)'", errors)
        self.assertEqual(spin_counts(), ["1000"])
        self.assertEqual(spin_counts(GOMP_SPINCOUNT="7"), ["7"])
        self.assertEqual(len(spin_counts(OMP_WAIT_POLICY="active")), 1)

    def test_busy_cores_are_mentioned(self):
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
        try:
            code, _, errors = self.run_command("latency", "--model", self.base, "--engine", "dense", "--batch", 1,
                                               "--threads", CORES, "--seconds", 1, "--warmup", 0)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
        self.assertEqual(code, 0, errors)
        self.assertRegex(errors, r"note: meanwhile other programs kept \d\.\d of \d+ cores busy")

    def test_more_threads_than_cores(self):
        surplus = 2 * CORES + 1
        results = []
        for threads in (CORES, surplus):
            code, output, errors = self.run_command("eval", "--model", self.base, "--data", "synthetic:40",
                                                    "--threads", threads, "--format", "json")
            self.assertEqual(code, 0, errors)
            warnings = [line for line in errors.splitlines() if line.startswith("warning: ")]
            self.assertEqual(len(warnings), int(threads == surplus), errors)
            results.append(json.loads(output)[0])
        self.assertIn(f"{surplus} threads on {CORES} core", warnings[0])
        self.assertAlmostEqual(results[0]["loss"], results[1]["loss"], delta=1e-5)
        rows = json.loads(self.succeed(*self.train_arguments(8, 4, "--threads", surplus, "--format", "json")))
        self.assertTrue(0 < rows[0]["training_loss"] < 100, rows)

    def test_memory_that_does_not_suffice(self):
        self.fail(*self.train_arguments(512, 512), says="batches of 512 images of 64x64 take more than",
                  preexec_fn=address_space(600))
        self.fail("eval", "--model", self.base, "--data", "synthetic:40000", "--batch", 10000, "--threads", 1,
                  says="[evaluate] not enough memory for batches of 10000 images", preexec_fn=address_space(450))
        self.fail("latency", "--model", self.base, "--batch", 65536, "--engine", "sparse",
                  says="[latency] not enough memory for a batch of 65536 images on the sparse engine",
                  preexec_fn=address_space(800))
        self.fail("train", "--data", "synthetic:1000000", "--weights", "random", "--out",
                  self.folder / "out.safetensors", says="not enough memory", preexec_fn=address_space(300))

    def test_memory_that_ends_anywhere_in_the_first_step(self):
        for megabytes in range(230, 500, 10):
            code, _, errors = self.run_command(*self.train_arguments(32, 32), "--threads", 2,
                                               preexec_fn=address_space(megabytes))
            if code != 0:
                self.assertEqual(code, 1, f"{megabytes} MB: {errors}")
                self.assertRegex(errors, r"\Aedgeprune: [^\n]* memory[^\n]*\n\Z", f"{megabytes} MB")

    def test_memory_that_the_machine_does_not_have(self):
        """No limit is set: the kernel would grant it, and kill the process when it is used."""
        huge = self.other_size(4096, images=20)  # 9 GB an image
        self.fail(*huge, "--batch", 200, says="images of 4096x4096 take more than")


if __name__ == "__main__":
    unittest.main()
