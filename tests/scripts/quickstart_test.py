"""tools/quickstart.sh and tools/test.sh, with stubs for everything they call."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"

# Stubs append what they were called with to $CALLS.
LOG = '#!/bin/bash\necho "$(basename "$0") $*" >>"$CALLS"\n'
PACKAGES = LOG
FETCH = LOG + 'echo "data=${STUB_DATA-/my data}"\necho "weights=${STUB_WEIGHTS-/my/w.pth}"\nexit "${STUB_FETCH_STATUS-0}"\n'
# The build step puts the program where the configure step was told to.
CMAKE = LOG + """
case "$*" in
  *"-B "*) mkdir -p "$ROOT/build/quickstart" && cp "$STUBS/edgeprune" "$ROOT/build/quickstart/" ;;
  *--build*) echo "ninja: building"; exit "${STUB_BUILD_STATUS-0}" ;;
esac
"""
EDGEPRUNE = LOG + """
while [[ $1 != --out ]]; do shift; done
mkdir -p "$2" && touch "$2/table.md" "$2/accuracy.svg"
echo "the table"
"""
CTEST = LOG + 'echo "100% tests passed"\nexit "${STUB_CTEST_STATUS-0}"\n'


class ScriptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune quickstart ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        self.root = self.folder / "clone"
        self.stubs = self.folder / "stubs"
        scripts = self.root / "tools" / "scripts"
        scripts.mkdir(parents=True)
        self.stubs.mkdir()
        for name in ("quickstart.sh", "test.sh", "scripts/stages.sh"):
            shutil.copy(TOOLS / name, self.root / "tools" / name)
        self.stub(scripts / "packages.sh", PACKAGES)
        self.stub(scripts / "fetch.sh", FETCH)
        for name, text in (("cmake", CMAKE), ("ctest", CTEST), ("edgeprune", EDGEPRUNE)):
            self.stub(self.stubs / name, text)
        self.log = self.folder / "calls"

    @staticmethod
    def stub(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def run_script(self, name, *arguments, **variables):
        environment = os.environ | {
            "PATH": f"{self.stubs}:{os.environ['PATH']}",
            "CALLS": str(self.log),
            "ROOT": str(self.root),
            "STUBS": str(self.stubs),
        }
        self.log.write_text("")
        return subprocess.run(
            ["bash", self.root / "tools" / name, *arguments], env=environment | variables, cwd="/", text=True,
            capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
        )

    def calls(self):
        return self.log.read_text().splitlines()


class Quickstart(ScriptTest):
    def test_installs_builds_fetches_and_studies_in_this_order(self):
        result = self.run_script("quickstart.sh", "--threads", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        build = self.root / "build" / "quickstart"
        self.assertEqual(
            self.calls(),
            [
                "packages.sh ",
                f"cmake --preset release -S {self.root} -B {build} -DBUILD_TESTING=OFF -DEDGEPRUNE_BENCH=OFF -DEDGEPRUNE_STATION=OFF",
                f"cmake --build {build} --target edgeprune",
                "fetch.sh ",
                f"edgeprune study --data /my data --weights /my/w.pth --out {self.root}/out/quickstart --quick --resume"
                " --threads 2",
            ],
        )

    def test_results_go_to_stdout_and_minutes_to_stderr(self):
        result = self.run_script("quickstart.sh")
        self.assertEqual(result.stdout.splitlines(), ["the table"], "what the study printed")
        self.assertRegex(
            result.stderr.splitlines()[-1],
            r"^minutes: packages \d+\.\d, build \d+\.\d, data \d+\.\d, study \d+\.\d, total \d+\.\d$",
        )

    def test_stand_ins_are_named_again_at_the_end_and_kept_apart(self):
        result = self.run_script("quickstart.sh", STUB_DATA="synthetic", STUB_WEIGHTS="random")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.root / "out" / "quickstart-synthetic-random").is_dir())
        self.assertIn("NOTE: ran on data: synthetic, weights: random", result.stdout)

    def test_failed_build_ends_it_and_is_named(self):
        result = self.run_script("quickstart.sh", STUB_BUILD_STATUS="3")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(result.stderr.splitlines()[-1], "failed: build")
        self.assertEqual([call.split()[0] for call in self.calls()], ["packages.sh", "cmake", "cmake"])

    def test_failed_fetch_ends_it(self):
        result = self.run_script("quickstart.sh", STUB_FETCH_STATUS="1")
        self.assertEqual(result.returncode, 1)
        self.assertFalse(any(call.startswith("edgeprune") for call in self.calls()))

    def test_help_does_nothing(self):
        result = self.run_script("quickstart.sh", "--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("examples:", result.stdout)
        self.assertEqual(self.calls(), [])


class Test(ScriptTest):
    def test_ctest_has_the_last_word(self):
        result = self.run_script("test.sh")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "100% tests passed\n")
        self.assertRegex(result.stderr.splitlines()[-1], r"^minutes: packages \d+\.\d, build \d+\.\d, total \d+\.\d$")
        self.assertEqual(
            self.calls(),
            [
                "packages.sh --test",
                "cmake --preset release",
                "cmake --build --preset release",
                "ctest --preset release --no-tests=error --no-label-summary",
            ],
        )

    def test_preset_and_further_arguments_are_passed_on(self):
        self.run_script("test.sh", "--preset", "asan", "-R", "Tensor")
        self.assertEqual(self.calls()[:2], ["packages.sh --test", "cmake --preset asan"])
        self.assertEqual(self.calls()[-1], "ctest --preset asan --no-tests=error --no-label-summary -R Tensor")

    def test_arm64_has_packages_of_its_own(self):
        self.run_script("test.sh", "--preset", "arm64")
        self.assertEqual(self.calls()[:2], ["packages.sh --arm64", "cmake --preset arm64"])

    def test_failures_of_ctest_are_failures(self):
        self.assertEqual(self.run_script("test.sh", STUB_CTEST_STATUS="8").returncode, 8)


if __name__ == "__main__":
    unittest.main()
