"""edgeprune report: what it writes from a study's rows."""

import json
import shutil
import unittest

from support import CommandTest


def row(name, method="magnitude", **other):
    """A line of runs.jsonl: four test images, three of them right."""
    record = {
        "id": name, "row": name, "method": method, "mode": "none" if method == "none" else "mask",
        "schedule": "none" if method == "none" else "one-shot", "recovery": "",
        "target": 0 if method == "none" else 0.5, "seed": 0, "accuracy_before": 0.25, "accuracy": 0.75,
        "loss": 1.0, "test_images": 4, "correct": "e", "parameters": 100,
        "nonzero_parameters": 100 if method == "none" else 50, "prunable": 98,
        "nonzero_prunable": 98 if method == "none" else 48, "multiply_adds": 1000,
        "nonzero_multiply_adds": 600, "stored_parameters": 100, "file_bytes": 400, "sparse_file_bytes": 220,
        "epochs": 1, "train_seconds": 2.0, "epochs_spent": 1, "seconds_spent": 2.0,
        "curve": [{"epoch": 1, "loss": 1.5, "accuracy": 0.5}], "checkpoint": "models/x.safetensors",
        "layers": [{"name": "features.0.0", "parameters": 98, "nonzeros": 48, "multiply_adds": 1000,
                    "nonzero_multiply_adds": 600}],
        "sha256": "ab", "parent_sha256": "", "cpu": "Sample CPU", "build": "release", "commit": "0123abc",
        "trained_commit": "4567def",
        "latency": [{"engine": engine, "batch": 1, "threads": 1, "samples": 9, "median": ms, "mean": ms,
                     "p90": ms, "p99": ms, "min": ms, "max": ms,
                     "factor": {"median": 1 / ms, "low": 0.99 / ms, "high": 1.01 / ms, "rounds": 20},
                     "load": {"others": 0.1, "stolen": None, "switches": 3, "processors": 2}}
                    for engine, ms in (("dense", 1.0), ("sparse", 0.5))]}
    return record | other


class Report(CommandTest):
    @classmethod
    def setUpClass(cls):
        pass  # needs no model

    def study(self, *rows):
        (self.folder / "runs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def test_a_page_of_one_file_and_the_same_as_markdown(self):
        self.study(row("baseline", "none"), row("half <b>"))
        printed = self.succeed("report", self.folder)
        output = (self.folder / "report.md").read_text()
        self.assertEqual([line.split(":")[0] for line in printed.splitlines()],
                         ["baseline", "best at equal accuracy", "speed", "report", "next"])
        self.assertEqual(len((self.folder / "results.csv").read_text().splitlines()), 3)
        page = (self.folder / "report.html").read_text()
        self.assertIn("half &lt;b&gt;", page)
        for part in ("http:", "https:", "src=", "<link", "half <b>"):
            self.assertNotIn(part, page)
        self.assertIn("## The original study's conclusions", output)
        if shutil.which("gnuplot"):
            self.assertIn("<svg", page)
            self.assertIn("(plots/accuracy.svg)", output)
            self.assertTrue((self.folder / "plots" / "accuracy.svg").exists())

    def test_every_format_has_every_row(self):
        self.study(row("baseline", "none"), row("half"), row("half.seed1", row="half", seed=1, accuracy=1.0))
        rows = self.json_of("report", self.folder)
        self.assertEqual([r["id"] for r in rows], ["baseline", "half"])
        self.assertEqual(rows[1]["accuracy_percent"], 87.5)
        self.assertEqual((rows[1]["accuracy_low_percent"], rows[1]["accuracy_high_percent"]), (75, 100))
        lines = self.succeed("report", self.folder, "--format", "csv").splitlines()
        self.assertEqual(len(lines), 3)

    def test_rows_of_before_are_said_not_to_be_timed_together(self):
        rows = [row("baseline", "none"), row("half")]
        self.study(*rows)
        self.assertIn("speed: 2.00 times (1.98 to 2.02)", self.succeed("report", self.folder))
        self.assertIn("up to 2.00 times (1.98 to 2.02)", (self.folder / "report.md").read_text())
        for one in rows:
            for cell in one["latency"]:
                del cell["factor"], cell["load"]
        self.study(*rows)
        self.assertIn("speed: 2 of 2 rows' timings were not", self.succeed("report", self.folder))
        output = (self.folder / "report.md").read_text()
        self.assertIn("were not taken in turns with the unpruned network", output)
        self.assertNotIn("times (", output)

    def test_without_gnuplot_there_are_no_plots_but_a_report(self):
        self.study(row("baseline", "none"), row("half"))
        code, output, errors = self.run_command("report", self.folder, PATH="/nonexistent")
        self.assertEqual(code, 0)
        output = (self.folder / "report.md").read_text()
        self.assertIn("no plots: gnuplot is not installed", errors)
        self.assertNotIn("plots/", output)
        self.assertNotIn("<svg", (self.folder / "report.html").read_text())

    def test_what_cannot_be_read(self):
        self.fail("report", self.folder / "missing", says="there is no folder")
        self.fail("report", self.folder, says="runs.jsonl")
        self.study()
        self.fail("report", self.folder, says="no finished runs")
        self.study(row("baseline", "none"), row("half", accuracy="high"))
        self.fail("report", self.folder, says="line 2")
        self.study(row("baseline", "none"), row("half", correct="z"))
        self.fail("report", self.folder, says="half")


if __name__ == "__main__":
    unittest.main()
