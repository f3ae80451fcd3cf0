"""The inspection station as its users run it: camera, network, PLC, page."""

import csv
import json
import pathlib
import re
import signal
import sqlite3
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import CommandTest, commands, write_bmp

IMAGES = 12


@unittest.skipUnless("station" in commands(), "built without the station (EDGEPRUNE_STATION)")
class StationTest(CommandTest):
    def setUp(self):
        super().setUp()
        camera = self.folder / "camera"
        camera.mkdir()
        for i in range(IMAGES):
            write_bmp(camera / f"{i:02}.bmp", 64, 64, lambda x, y: ((37 * i + 3 * x) % 256, (91 * i + 2 * y) % 256, (53 * i) % 256))
        predicted = json.loads(self.succeed("predict", "--model", self.base, camera, "--probabilities", "--format", "json"))
        self.probabilities = [[c["probability"] for c in row["probabilities"]] for row in predicted]
        self.classes = [c["class"] for c in predicted[0]["probabilities"]]
        # The likeliest class of half of the images is a defect: all three verdicts come.
        self.defect = max(range(len(self.classes)), key=lambda c: len({round(p[c], 3) for p in self.probabilities}))
        ordered = sorted(p[self.defect] for p in self.probabilities)
        self.clear_below = (ordered[IMAGES // 3] + ordered[IMAGES // 3 - 1]) / 2
        self.reject_from = (ordered[2 * IMAGES // 3] + ordered[2 * IMAGES // 3 - 1]) / 2
        rules = [{"name": name, "good": True} if c != self.defect else
                 {"name": name, "good": False, "clear_below": self.clear_below, "reject_from": self.reject_from}
                 for c, name in enumerate(self.classes)]
        policy = {"format": "edgeprune-policy/1", "temperature": 1.0, "classes": rules}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        self.running = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.running:
            process.kill()
            process.communicate()

    def verdict(self, image):
        p = self.probabilities[image]
        if p[self.defect] >= self.reject_from:
            return "rejected"
        return "passed" if p[self.defect] < self.clear_below and p.index(max(p)) != self.defect else "review"

    def config(self, **changes):
        config = {"name": "test line", "model": str(self.base), "policy": "policy.json", "engine": "dense",
                  "camera": {"folder": "camera"}, "plc": {"port": 1}, "deadline_ms": 2000, "page": {"port": 0}}
        path = self.folder / "station.json"
        path.write_text(json.dumps({k: v for k, v in (config | changes).items() if v is not None}))
        return path

    def start_here(self, *arguments):
        process = self.start(*arguments)
        self.running.append(process)
        return process

    def start_plc(self, *arguments):
        """The process, and the port that it listens on."""
        plc = self.start_here("fakeplc", "--port", 0, "--to-diverter", 2500, "--out", self.folder / "items.csv",
                              "--format", "json", *arguments)
        return plc, int(re.search(r":(\d+):", plc.stderr.readline()).group(1))

    def start_station(self, port, **changes):
        """The process, and the address of its page."""
        station = self.start_here("station", "--config", self.config(plc={"port": port}, **changes), "--format", "json")
        return station, re.search(r"page on (\S+),", station.stderr.readline()).group(1)

    def items(self):
        with open(self.folder / "items.csv", newline="") as file:
            return list(csv.DictReader(file))

    def get(self, url):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_each_item_gets_the_verdict_of_its_own_image(self):
        plc, port = self.start_plc("--items", 40, "--rate", 20)
        station, page = self.start_station(port)
        output, errors = plc.communicate(timeout=60)
        self.assertEqual(plc.returncode, 0, errors)
        status = json.loads(self.get(page + "status.json")[1])
        self.assertEqual(self.get(page + "healthz")[0], 503, "the PLC is gone")
        self.assertIn('edgeprune_station_items_total{verdict="ok"}', self.get(page + "metrics")[1])
        station.send_signal(signal.SIGINT)
        table, errors = station.communicate(timeout=20)
        self.assertEqual(station.returncode, 0, errors)
        self.assertEqual([row["stage"] for row in json.loads(table)],
                         ["capture", "queue", "preprocessing", "inference", "decision", "answer", "whole"])
        items = self.items()
        self.assertEqual(len(items), 40)
        judged = [item for item in items if item["outcome"] != "silence"]  # what a busy machine misses is silence
        self.assertGreater(len(judged), 30)
        self.assertEqual(status["plc"]["missed"], 40 - len(judged))
        # An image is taken for each item that was seen, so that the n-th of these has the n-th image.
        for n, item in enumerate(judged):
            self.assertEqual(item["outcome"], self.verdict(n % IMAGES), item)
        self.assertEqual(len({item["outcome"] for item in judged}), 3, "the test tells nothing")
        counts = {row["what"]: row["items"] for row in json.loads(output)}
        self.assertEqual(counts["results_for_no_item"], 0)
        self.assertEqual(status["items"], len(judged))
        # Each has its record, once, under its own verdict.
        journal = sqlite3.connect(self.folder / "journal" / "journal.sqlite")
        records = dict(journal.execute("SELECT epoch || '.' || trigger, verdict FROM record"))
        self.assertEqual(journal.execute("SELECT COUNT(*) FROM record").fetchone()[0], len(judged))
        names = {"passed": "ok", "rejected": "reject", "review": "review"}
        self.assertEqual(records, {f"{i['epoch']}.{i['trigger']}": names[i["outcome"]] for i in judged})
        kept = [row[0] for row in journal.execute("SELECT image FROM record WHERE verdict != 'ok'")]
        journal.close()
        for image in kept:
            self.assertTrue((self.folder / "journal" / "images" / image).is_file(), image)

    def test_a_stopped_or_killed_station_lets_nothing_pass(self):
        plc, port = self.start_plc("--items", 60, "--rate", 20)
        station, page = self.start_station(port)
        time.sleep(1.2)
        station.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        station.kill()
        _, errors = plc.communicate(timeout=60)
        self.assertEqual(plc.returncode, 0, errors)
        items = self.items()
        told = [item for item in items if item["to_result_ms"]]
        self.assertGreater(len(told), 3)
        self.assertLess(len(told), 40)
        for item in items:
            if not item["to_result_ms"]:
                self.assertIn(item["outcome"], ("silence", "station_dead"), item)
        self.assertEqual(items[-1]["outcome"], "station_dead")

    def test_what_does_not_fit_is_refused_before_anything_runs(self):
        station = ("station", "--check", "--config")
        self.assertIn("the station can run", self.run_command(*station, self.config())[2])
        for changes, says in (({"speed": 3}, "speed: unknown key"),
                              ({"deadline_ms": None}, "deadline_ms"),
                              ({"deadline_ms": 0.1}, "deadline_ms"),
                              ({"camera": {"folder": "nowhere"}}, "nowhere: there is no such folder"),
                              ({"model": "none.safetensors"}, "none.safetensors"),
                              ({"policy": "station.json"}, "format"),
                              ({"engine": "int8"}, "int8"),
                              ({"drift": "policy.json"}, "policy.json: ")):
            path = self.config(**changes)
            self.fail(*station, path, says=says)
        rules = json.loads((self.folder / "policy.json").read_text())
        rules["classes"][0]["name"] = "scratched"
        (self.folder / "policy.json").write_text(json.dumps(rules))
        self.fail(*station, self.config(), says="scratched")
        self.fail("fakeplc", "--address", "0.0.0.0", says="--expose", code=2)
        self.fail("fakecamera", self.folder / "none", says="there is no such folder")


if __name__ == "__main__":
    unittest.main()
