"""The fake PLC's registers by clients that are not ours: mbpoll, and pymodbus, which plays a station."""

import csv
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import CommandTest, commands

# Every item's verdict by its number: ok, reject, review in turn; a wrong check for every fourth, which is no result.
STATION = """
import sys, time
from pymodbus.client import ModbusTcpClient
from pymodbus.register_read_message import ReadWriteMultipleRegistersRequest
client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
assert client.connect()
results, last, beat = [], None, 0
try:
    while True:
        beat = (beat + 1) % 65536
        block = [beat, 4, 0, 0, 0] + [word for result in results for word in result]
        block += [0] * (45 - len(block))
        got = client.execute(ReadWriteMultipleRegistersRequest(
            read_address=0, read_count=5, write_address=100, write_registers=block, unit=1))
        trigger, epoch = got.registers[:2]
        if last not in (None, trigger):
            verdict = 1 + trigger % 3
            check = trigger ^ epoch ^ verdict ^ 9000 ^ 0xA5C3 ^ (trigger % 4 == 0)
            results = ([[trigger, epoch, verdict, 9000, check]] + results)[:8]
        last = trigger
        time.sleep(0.001)
except Exception:
    pass  # the PLC ended
"""


def python_with_pymodbus():
    for python in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run([python, "-c", "import pymodbus.register_read_message"], capture_output=True, check=False)
        if found.returncode == 0:
            return python
    return None


@unittest.skipUnless("fakeplc" in commands(), "built without the station (EDGEPRUNE_STATION)")
class FakePlcTest(CommandTest):
    def start_plc(self, *arguments):
        plc = self.start("fakeplc", "--port", 0, "--format", "json", *arguments)
        self.addCleanup(lambda: (plc.kill(), plc.communicate()))
        return plc, re.search(r":(\d+):", plc.stderr.readline()).group(1)

    @unittest.skipUnless(shutil.which("mbpoll"), "mbpoll is not installed")
    def test_mbpoll_reads_and_writes_every_register(self):
        _, port = self.start_plc("--rate", 0.001)

        def mbpoll(first, *more):
            done = subprocess.run(["mbpoll", "-0", "-1", "-t", "4", "-p", port, "-r", str(first), *more],
                                  capture_output=True, text=True, timeout=20, check=False)
            return done.returncode, {int(a): int(v) for a, v in re.findall(r"^\[(\d+)\]:\s+(\d+)", done.stdout, re.M)}

        status, registers = mbpoll(0, "-c", "5", "127.0.0.1")
        self.assertEqual((status, sorted(registers)), (0, [0, 1, 2, 3, 4]))
        self.assertEqual((registers[1], registers[3]), (1, 1), "epochs")
        values = [str(1000 + i) for i in range(45)]
        self.assertEqual(mbpoll(100, "127.0.0.1", *values)[0], 0)
        status, registers = mbpoll(100, "-c", "45", "127.0.0.1")
        self.assertEqual((status, registers), (0, {100 + i: 1000 + i for i in range(45)}))
        self.assertNotEqual(mbpoll(145, "-c", "1", "127.0.0.1")[0], 0, "there is none")

    @unittest.skipUnless(python_with_pymodbus(), "python3-pymodbus is not installed")
    def test_a_station_of_another_make_lets_its_items_pass(self):
        out = self.folder / "items.csv"
        plc, port = self.start_plc("--items", 40, "--rate", 20, "--to-diverter", 1000, "--out", out)
        station = subprocess.Popen([python_with_pymodbus(), "-c", STATION, port])
        self.addCleanup(station.kill)
        _, errors = plc.communicate(timeout=60)
        self.assertEqual(plc.returncode, 0, errors)
        station.wait(timeout=20)
        with open(out, newline="") as file:
            items = list(csv.DictReader(file))
        self.assertEqual(len(items), 40)
        judged = 0
        for item in items:
            trigger = int(item["trigger"])
            wanted = "silence" if trigger % 4 == 0 else ("passed", "rejected", "review")[trigger % 3]
            if item["outcome"] != "silence":
                self.assertEqual(item["outcome"], wanted, item)
                judged += 1
        self.assertGreater(judged, 20, "all 30 but what a busy machine misses")


if __name__ == "__main__":
    unittest.main()
