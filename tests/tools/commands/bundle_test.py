"""calibrate and bundle: from held-out images to a signed file, and what is refused of it."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

from support import CommandTest, commands, write_bmp

# What the clock says wherever a program can ask: verification must not.
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static time_t now(void) { return atol(getenv("FALSE_CLOCK")); }
time_t time(time_t* t) { if (t) *t = now(); return now(); }
int gettimeofday(struct timeval* t, void* z) { t->tv_sec = now(); t->tv_usec = 0; return 0; }
int clock_gettime(clockid_t id, struct timespec* t) {
  int (*real)(clockid_t, struct timespec*) = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, t);
  if (id == CLOCK_REALTIME) t->tv_sec = now();
  return result;
}
"""


@unittest.skipUnless("bundle" in commands(), "built without the station (EDGEPRUNE_STATION)")
class Bundle(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.base.parent
        cls.policy, cls.bundle = folder / "policy.json", folder / "parts.bundle"

        def run(*arguments):
            process = cls.start(*arguments)
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            return output

        cls.outcome = json.loads(run("calibrate", "--model", cls.base, "--data", "synthetic:800", "--good", "disc,ring", "--recall",
                                     "0.8,square=90%", "--out", cls.policy, "--format", "json"))
        run("bundle", "keygen", "--root", "--out", folder / "root")
        run("bundle", "keygen", "--signing", "--root-key", folder / "root.pem", "--last-counter", 50, "--out", folder / "line")
        run(*cls.creation(7, cls.bundle))

    @classmethod
    def creation(cls, counter, out, model=None, gate="accuracy=1%"):
        folder = cls.base.parent
        return ("bundle", "create", "--model", model or cls.base, "--policy", cls.policy, "--data", "synthetic:200", "--gate", gate,
                "--golden-images", 3, "--product", "parts", "--counter", counter, "--key", folder / "line.pem",
                "--key-certificate", folder / "line.cert.json", "--out", out)

    def verification(self, bundle, *flags):
        return ("bundle", "verify", bundle, "--root", self.base.parent / "root.pub.pem", *flags)

    def test_a_station_runs_it_and_none_of_a_lower_counter(self):
        (self.folder / "camera").mkdir()
        write_bmp(self.folder / "camera" / "1.bmp", 64, 64, lambda x, y: (x, y, 0))
        shutil.copy(self.bundle, self.folder / "line.bundle")
        config = {"bundle": "line.bundle", "root_key": str(self.base.parent / "root.pub.pem"), "product": "parts", "engine": "dense",
                  "camera": {"folder": "camera"}, "deadline_ms": 100, "page": {"port": 0}}
        path, counters = self.folder / "station.json", self.folder / "counters.json"
        path.write_text(json.dumps(config))
        for _ in range(2):  # the active one opens again
            code, _, errors = self.run_command("station", "--check", "--config", path)
            self.assertEqual(code, 0, errors)
            self.assertEqual(json.loads(counters.read_text())["accepted"], [{"product": "parts", "counter": 7}])
        path.write_text(json.dumps(config | {"product": "others"}))
        self.fail("station", "--check", "--config", path, says="others")
        path.write_text(json.dumps(config))
        counters.write_text(counters.read_text().replace(": 7", ": 9"))
        self.fail("station", "--check", "--config", path, says="counter")

    def test_a_running_station_takes_a_new_bundle_and_keeps_the_good_one(self):
        (self.folder / "camera").mkdir()
        for i in range(5):
            write_bmp(self.folder / "camera" / f"{i}.bmp", 64, 64, lambda x, y: ((x + 50 * i) % 256, 3 * y, 40 * i))
        active, good = self.folder / "line.bundle", self.folder / "line.bundle.good"
        audit = self.folder / "journal" / "audit.jsonl"
        shutil.copy(self.bundle, active)
        plc = self.start("fakeplc", "--port", 0, "--rate", 40, "--to-diverter", 500)
        self.addCleanup(lambda: (plc.kill(), plc.communicate()))
        port = int(re.search(r":(\d+):", plc.stderr.readline()).group(1))
        config = {"bundle": "line.bundle", "root_key": str(self.base.parent / "root.pub.pem"), "product": "parts", "engine": "dense",
                  "camera": {"folder": "camera"}, "plc": {"port": port}, "deadline_ms": 400, "page": {"port": 0},
                  "deployment": {"shadow_items": 10, "watched_items": 10}}
        path = self.folder / "station.json"
        path.write_text(json.dumps(config))
        station = self.start("station", "--config", path)
        self.addCleanup(lambda: (station.kill(), station.communicate()))

        def wait_for(text):
            for _ in range(600):
                if audit.exists() and text in audit.read_text():
                    return
                time.sleep(0.1)
            self.fail(f"no '{text}' in {audit.read_text()}")

        wait_for("started: model")
        self.assertEqual(good.read_bytes(), self.bundle.read_bytes())
        newer, broken = self.folder / "8.bundle", self.folder / "broken.bundle"
        self.succeed(*self.creation(8, newer))
        changed = bytearray(newer.read_bytes())
        changed[len(changed) // 2] ^= 1
        broken.write_bytes(changed)
        broken.replace(active)
        wait_for("bundle refused")
        shutil.copy(self.bundle, self.folder / "7.bundle")
        (self.folder / "7.bundle").replace(active)
        wait_for("counter")
        shutil.copy(newer, self.folder / "8a.bundle")
        (self.folder / "8a.bundle").replace(active)
        for text in ("bundle of counter 8 verified", "active, watched: 0 of 10 verdicts differ", "stays: 0 of 10 verdicts differ"):
            wait_for(text)
        for _ in range(50):
            if good.read_bytes() == newer.read_bytes():
                break
            time.sleep(0.1)
        self.assertEqual(good.read_bytes(), newer.read_bytes())
        broken.write_bytes(changed)
        broken.replace(active)  # and the station is started again
        station.send_signal(signal.SIGINT)
        _, errors = station.communicate(timeout=30)
        self.assertEqual(station.returncode, 0, errors)
        code, _, errors = self.run_command("station", "--check", "--config", path)
        self.assertEqual(code, 0, errors)
        self.assertIn("running " + str(good), errors)

    def test_calibrate_counts_every_image_and_says_what_it_cannot_promise(self):
        self.assertEqual(len(self.outcome), 10)
        for row in self.outcome:
            self.assertEqual(row["images"], 20)
            self.assertEqual(row["passed"] + row["rejected"] + row["review"], 20)
        wanted = {row["class"]: row["recall_wanted_percent"] for row in self.outcome}
        self.assertEqual((wanted["square"], wanted["gradient"], wanted["disc"]), (90, 80, None))
        policy = json.loads(self.policy.read_text())
        self.assertEqual([one["name"] for one in policy["classes"] if one["good"]], ["disc", "ring"])
        code, _, errors = self.run_command("calibrate", "--model", self.base, "--data", "synthetic:200", "--good", "disc", "--recall",
                                           "0.99", "--out", self.folder / "policy.json")
        self.assertEqual(code, 0)
        self.assertIn("5 images of 'ring' are too few to promise a recall of 99 %: 299 are needed", errors)
        self.assertIn("expected calibration error", errors)

    def test_calibrate_refuses_what_does_not_fit(self):
        def refused(*flags, says, code=1):
            self.fail("calibrate", "--model", self.base, "--data", "synthetic:200", "--out", self.folder / "p.json", *flags, says=says, code=code)
        refused("--good", "disk", says="--good] expected one of the model's classes (disc, ring")
        refused("--good", "disc", "--recall", "disc=0.9", says="'disc' is a good class: expected a defect")
        refused("--good", "disc", "--recall", "1.5", code=2, says="expected a fraction")
        refused("--good", "disc", "--recall", "ring=0", code=2, says="expected a share above 0")
        refused("--good", "disc", "--recall", "ring=0.9,ring=0.8", says="'ring' is there twice")
        refused(says="--good is required", code=2)

    def test_a_bundle_is_verified_by_edgeprune_and_by_openssl(self):
        rows = {row["what"]: row["value"] for row in self.json_of(*self.verification(self.bundle))}
        self.assertEqual((rows["product"], rows["counter"], rows["signed by"]), ("parts", "7", "line"))
        self.assertEqual(rows, {row["what"]: row["value"] for row in self.json_of("bundle", "show", self.bundle)})
        with tarfile.open(self.bundle) as archive:
            archive.extractall(self.folder)
        public = self.folder.joinpath("public.pem")
        public.write_text(json.loads(self.folder.joinpath("key-certificate.json").read_text())["public_key"])
        for key, name in ((public, "manifest.json"), (self.base.parent / "root.pub.pem", "key-certificate.json")):
            said = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-sigfile", f"{name}.sig", "-in", name],
                                  cwd=self.folder, check=True, capture_output=True, text=True)
            self.assertIn("Verified Successfully", said.stdout)
        self.assertEqual(self.folder.joinpath("weights.safetensors").read_bytes(), self.base.read_bytes())

    def test_keys_are_private_and_never_overwritten(self):
        for name in ("root.pem", "line.pem"):
            self.assertEqual((self.base.parent / name).stat().st_mode & 0o777, 0o600)
        self.fail("bundle", "keygen", "--root", "--out", self.base.parent / "root", says="no key is overwritten")
        self.fail("bundle", "keygen", "--root", "--signing", "--out", self.folder / "x", code=2, says="either --root or --signing")
        key = self.folder / "line.pem"
        shutil.copy(self.base.parent / "line.pem", key)
        key.chmod(0o644)
        create = list(self.creation(7, self.folder / "x.bundle"))
        create[create.index("--key") + 1] = key
        self.fail(*create, says="others may read this private key")

    def test_counters_only_rise(self):
        counters = self.folder / "counters.json"
        flags = ("--product", "parts", "--counters", counters)
        self.succeed(*self.verification(self.bundle, *flags, "--accept"))
        self.assertEqual(json.loads(counters.read_text())["accepted"], [{"product": "parts", "counter": 7}])
        self.fail(*self.verification(self.bundle, *flags), says="counter 7: expected one above 7, which was accepted before")
        lower, higher = self.folder / "lower.bundle", self.folder / "higher.bundle"
        self.succeed(*self.creation(6, lower))
        self.fail(*self.verification(lower, *flags, "--accept"), says="counter 6: expected one above 7")
        self.succeed(*self.creation(8, higher))
        self.succeed(*self.verification(higher, *flags, "--accept"))
        self.fail(*self.creation(51, self.folder / "no.bundle"), says="counter 51: the key 'line' may sign 1 to 50")
        counters.write_text("{")
        self.fail(*self.verification(higher, *flags), says="counters.json")

    def test_every_refusal_is_one_line(self):
        whole = self.bundle.read_bytes()
        bad = self.folder / "bad.bundle"

        def refused(content, *flags, says=""):
            bad.write_bytes(content)
            self.fail(*self.verification(bad, *flags), says=says)

        for at in range(150, len(whole), len(whole) // 23):
            refused(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
        for size in (0, 700, len(whole) // 2, len(whole) - 1):
            refused(whole[:size])
        refused(b"PK\3\4" + whole[4:], says="no bundle")
        refused(whole.replace(b"policy.json\0", b"../licy.json"[:11] + b"\0", 1), says="no bundle")
        refused(whole, "--product", "bottles", says="it is for parts, expected bottles")
        refused(whole, "--classes", "ok,defect", says="expected the classes ok, defect, got disc")
        refused(whole, "--accepted-counter", 7, says="expected one above 7")
        self.succeed("bundle", "keygen", "--root", "--out", self.folder / "other")
        self.fail("bundle", "verify", bad, "--root", self.folder / "other.pub.pem", says="no valid certificate of this root")
        self.fail("bundle", "verify", self.folder / "none.bundle", "--root", self.folder / "other.pub.pem", says="there is no such bundle")

    def test_a_gate_that_is_missed_makes_no_bundle(self):
        out = self.folder / "x.bundle"
        self.fail(*self.creation(9, out, gate="accuracy=99.9%"), says="its gate is missed: accuracy")
        self.fail(*self.creation(9, out, gate="recall=1"), code=2, says="expected accuracy=SHARE")

    def test_integers_are_the_same_bits_on_every_instruction_set(self):
        model, bundle = self.folder / "int8.safetensors", self.folder / "int8.bundle"
        self.succeed("quantize", "--model", self.base, "--data", "synthetic:64", "--calibrate", 32, "--test", 0, "--out", model)
        self.succeed(*self.creation(7, bundle, model=model))
        for variables in ({}, {"EDGEPRUNE_VNNI": "0"}, {"EDGEPRUNE_SIMD": "portable"}):
            rows = {row["what"]: row["value"] for row in self.json_of(*self.verification(bundle), **variables)}
            self.assertIn("3 images by int8", rows["golden"])
        self.succeed(*self.verification(bundle, "--engine", "int8-sparse"))
        self.fail(*self.verification(bundle, "--engine", "dense"), says="the engines int8, int8-sparse and auto run it")

    def test_the_clock_says_nothing(self):
        compiler = shutil.which("cc") or self.skipTest("needs a C compiler")
        folder = tempfile.TemporaryDirectory(prefix="edgeprune-clock-")  # LD_PRELOAD would split a path at spaces
        self.addCleanup(folder.cleanup)
        source, library = pathlib.Path(folder.name, "clock.c"), pathlib.Path(folder.name, "clock.so")
        source.write_text(CLOCK)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        said = set()
        for year, seconds in (("1970", 0), ("2099", 4070908800)):
            variables = {"LD_PRELOAD": str(library), "FALSE_CLOCK": str(seconds)}
            shown = subprocess.run([sys.executable, "-c", "import time; print(time.gmtime().tm_year)"], env=variables, check=True,
                                   capture_output=True, text=True).stdout
            self.assertEqual(shown.strip(), year)
            said.add(self.succeed(*self.verification(self.bundle), **variables))
        self.assertEqual(len(said), 1)


if __name__ == "__main__":
    unittest.main()
