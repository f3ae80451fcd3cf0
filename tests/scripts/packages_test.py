"""tools/scripts/packages.sh, with stubs for Debian's package tools."""

import os
import pathlib
import subprocess
import tempfile
import unittest

PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "tools" / "scripts" / "packages.sh"

# dpkg-query answers as Debian's does: "installed", "not-installed" or "config-files", or fails for an unknown package.
DPKG_QUERY = """#!/bin/bash
package=${!#}
case " $MISSING " in
  *" $package "*) echo "${MISSING_STATUS-not-installed}" ;;
  *) echo installed ;;
esac
"""
APT_GET = """#!/bin/bash
echo "$DEBIAN_FRONTEND apt-get $*" >>"$CALLS"
case "$*" in
  *update) echo "E: no network"; exit "${UPDATE_STATUS-0}" ;;
  *install*) echo "E: no such package"; exit "${INSTALL_STATUS-0}" ;;
esac
"""
SUDO = '#!/bin/bash\n"$@"\n'


DPKG = '#!/bin/bash\necho "dpkg $*" >>"$CALLS"\n'


class Packages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune packages ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name, text in (("dpkg-query", DPKG_QUERY), ("dpkg", DPKG), ("apt-get", APT_GET), ("sudo", SUDO)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        self.log = self.folder / "calls"
        self.log.write_text("")

    def run_script(self, *arguments, **variables):
        environment = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}", "CALLS": str(self.log), "MISSING": ""}
        return subprocess.run(
            ["bash", PACKAGES, *arguments], env=environment | variables, text=True, capture_output=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def test_nothing_missing_touches_nothing(self):
        result = self.run_script("--test")
        self.assertEqual((result.returncode, result.stdout, result.stderr, self.log.read_text()), (0, "", "", ""))

    def test_missing_packages_alone_are_installed_after_an_update(self):
        result = self.run_script(MISSING="cmake libzip-dev python3")
        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.log.read_text().splitlines()
        self.assertTrue(update.endswith(" update"))
        self.assertTrue(install.startswith("noninteractive "))
        self.assertTrue(install.endswith(" install --yes --no-install-recommends cmake libzip-dev"), install)

    def test_removed_package_with_left_over_configuration_is_missing(self):
        self.run_script(MISSING="curl", MISSING_STATUS="config-files")
        self.assertIn(" curl", self.log.read_text())

    def test_test_packages_on_request(self):
        self.run_script("--test", MISSING="python3")
        self.assertIn(" python3", self.log.read_text())

    def test_what_the_tests_and_continuous_integration_call_is_installed_with_test_alone(self):
        wanted = ["libgtest-dev", "libgmock-dev", "git", "shellcheck", "clang-format"]
        self.run_script(MISSING=" ".join(wanted))
        self.assertEqual(self.log.read_text(), "")
        self.run_script("--test", MISSING=" ".join(wanted))
        installed = self.log.read_text().splitlines()[-1].split()
        for package in wanted:
            self.assertIn(package, installed)

    def test_the_stations_libraries_are_for_those_who_build_it(self):
        for arguments, installed in ((("--station",), True), (("--test",), True), ((), False), (("--arm64",), False)):
            self.log.write_text("")
            self.run_script(*arguments, MISSING="libaravis-dev")
            self.assertEqual("libaravis-dev" in self.log.read_text(), installed, arguments)

    def test_libraries_of_arm64_beside_tools_of_this_machine(self):
        libraries = ["libdnnl-dev:arm64", "ocl-icd-opencl-dev:arm64", "libgmock-dev:arm64"]
        others = ["g++-aarch64-linux-gnu", "qemu-user", "cmake", "libeigen3-dev"]
        self.run_script("--arm64", MISSING=" ".join(libraries + others))
        foreign, update, install = self.log.read_text().splitlines()
        self.assertEqual(foreign, "dpkg --add-architecture arm64")
        self.assertTrue(update.endswith(" update"))
        self.assertEqual(set(install.split(" --no-install-recommends ")[1].split()), set(libraries + others))

    def test_failed_installation_is_one_line_with_the_cause(self):
        result = self.run_script(MISSING="cmake", INSTALL_STATUS="100")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr.splitlines()[1:], ["packages.sh: cannot install cmake: E: no such package"]
        )

    def test_failed_update_is_the_cause_of_a_failed_installation(self):
        result = self.run_script(MISSING="cmake", UPDATE_STATUS="100", INSTALL_STATUS="100")
        self.assertIn("cannot install cmake: E: no network", result.stderr)

    def test_failed_update_alone_does_not_matter(self):
        self.assertEqual(self.run_script(MISSING="cmake", UPDATE_STATUS="100").returncode, 0)

    def test_unknown_argument_fails(self):
        result = self.run_script("--tests")
        self.assertEqual(result.returncode, 1)
        self.assertIn("unknown argument '--tests'", result.stderr)


if __name__ == "__main__":
    unittest.main()
