"""What .ci/run says about itself, without starting anything."""

import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class ContinuousIntegration(unittest.TestCase):
    def run_script(self, *arguments):
        return subprocess.run([ROOT / ".ci" / "run", *arguments], capture_output=True, text=True, timeout=20)

    def test_help_is_the_usage_alone(self):
        for flag in ("-h", "--help"):
            done = self.run_script(flag)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith("usage: .ci/run\n"), done.stdout)

    def test_arguments_are_refused(self):
        done = self.run_script("tests")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertTrue(done.stderr.startswith("usage: .ci/run\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
