"""What packages consist of: --version, the man page, completions, the installed tree, the binary's hardening, the .deb."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import BINARY, ROOT, commands


def run(*arguments, **options):
    """stdout of a command that succeeds without a word on stderr."""
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          **options)
    assert (done.returncode, done.stderr) == (0, ""), f"{arguments}: {done.returncode} {done.stderr}"
    return done.stdout


def generate(kind, **options):
    return run(BINARY, "--generate", kind, **options)


def long_options(*command):
    return set(re.findall(r"^ +(?:-\w, *)?(--[\w-]+)", run(BINARY, *command, "--help"), re.M))


class Version(unittest.TestCase):
    def test_every_part_is_named(self):
        (project,) = re.findall(r"^project\(edgeprune VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)
        first, *rest = run(BINARY, "--version").splitlines()
        self.assertEqual(first, f"edgeprune {project}")
        fields = dict(line.split(": ", 1) for line in rest)
        self.assertRegex(fields["commit"], r"^([0-9a-f]{12}(-dirty)?|unknown)$")
        self.assertRegex(fields["build"], r"^\w+, \w+ \d+\.\d+")
        libraries = dict(part.rsplit(" ", 1) for part in fields["libraries"].split(", "))
        always = {"oneDNN", "Highway", "fmt", "CLI11", "nlohmann/json", "protozero", "libzip", "zlib", "OpenSSL", "OpenMP"}
        self.assertEqual(set(libraries) - {"libwebp", "libtiff"}, always)
        for name in ("libwebp", "libtiff"):
            linked = name in run("ldd", BINARY)
            self.assertEqual(name in libraries, linked, name)
        for name, version in libraries.items():
            self.assertRegex(version, r"^\d+\.\d+$" if name == "OpenMP" else r"^\d+\.\d+\.\d+$", name)

    def test_instruction_sets_name_the_one_in_use(self):
        def instruction_sets(**variables):
            line = run(BINARY, "--version", env=os.environ | variables).splitlines()[4]
            compiled, used = re.match(r"instruction sets: (.*); in use: (\w+)", line).groups()
            return compiled.split(", "), used

        compiled, best = instruction_sets(EDGEPRUNE_SIMD="")
        self.assertIn(best, compiled)
        self.assertEqual(instruction_sets(EDGEPRUNE_SIMD=compiled[-1]), (compiled, compiled[-1]))


class ManPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = generate("man")
        general, *sections = re.split(r"^\.SS edgeprune ", cls.page, flags=re.M)
        cls.sections = {section.split()[0]: section for section in sections} | {"": general}

    def options_in(self, command):
        return {name for names in re.findall(r"^\\fB(.*?)\\fR", self.sections[command], re.M)
                for name in names.replace("\\-", "-").split(",") if name.startswith("--")}

    def test_it_has_every_command_and_option_that_help_shows(self):
        self.assertEqual(list(self.sections)[:-1], commands())
        self.assertEqual(self.options_in(""), long_options())
        for command in commands():
            self.assertEqual(self.options_in(command), long_options(command), command)
        self.assertIn("\\-\\-format\\fR TEXT:{md,csv,json}", self.sections["eval"])

    def test_it_does_not_depend_on_the_machine_it_is_made_on(self):
        one_core = {max(os.sched_getaffinity(0))}
        page = generate("man", preexec_fn=lambda: os.sched_setaffinity(0, one_core),
                        env=os.environ | {"EDGEPRUNE_DATA": "elsewhere", "EDGEPRUNE_WEIGHTS": "other.pth"})
        self.assertEqual(page, self.page)

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_shows_it_without_a_warning(self):
        with tempfile.NamedTemporaryFile("w", suffix=".1") as file:
            file.write(self.page)
            file.flush()
            text = run("man", "--warnings=w", "--encoding=UTF-8", "--local-file", file.name,
                       env=os.environ | {"MANWIDTH": "500", "LC_ALL": "C.UTF-8"})
        text = re.sub(".\b", "", text)
        self.assertIn("edgeprune - trains, prunes and times", text)
        self.assertIn("edgeprune train --data synthetic --weights random --out toy.safetensors --epochs 3\n", text)


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What bash proposes for the last word; nothing means names of files."""
        with tempfile.NamedTemporaryFile("w") as script:
            script.write(generate("bash"))
            script.flush()
            return run("bash", "-c", 'source "$0"; COMP_WORDS=(edgeprune "$@"); COMP_CWORD=$#; '
                       '_edgeprune; (( ${#COMPREPLY[@]} == 0 )) || printf "%s\\n" "${COMPREPLY[@]}"',
                       script.name, *words).splitlines()

    def test_commands(self):
        self.assertEqual(set(self.complete("")), {*commands(), "-h", "--help", "--version"})
        self.assertEqual(self.complete("tr"), ["train"])
        self.assertEqual(self.complete("trains"), [])

    def test_options_of_every_command(self):
        for command in commands():
            self.assertEqual(set(self.complete(command, "--")), long_options(command), command)
        self.assertEqual(self.complete("train", "--data", "cifar10", "--profile", "--form"), ["--format"])

    def test_values(self):
        self.assertEqual(self.complete("eval", "--format", ""), ["md", "csv", "json"])
        self.assertEqual(self.complete("eval", "--format", "=", "j"), ["json"])
        self.assertEqual(self.complete("eval", "--format", "="), ["md", "csv", "json"])
        self.assertEqual(self.complete("latency", "--engine", "dense,sp"), ["dense,sparse"])
        self.assertEqual(self.complete("train", "--batch", ""), [])

    def test_files_where_files_belong(self):
        self.assertEqual(self.complete("train", "--model", ""), [])
        self.assertEqual(self.complete("predict", ""), [])
        self.assertEqual(self.complete("predict", "--logi"), ["--logits"])
        self.assertIn("--resume", self.complete("study", "--quick", ""))

    def test_zsh_and_fish_know_the_same(self):
        for kind, option in (("zsh", r"'\*?(--[\w-]+)[=\[]"), ("fish", r" -l ([\w-]+) ")):
            script = generate(kind)
            for command in commands():
                begin = f"    {command})\n" if kind == "zsh" else f"-a {command} -d"
                end = ";;" if kind == "zsh" else "__fish_use_subcommand"
                found = re.findall(option, script.split(begin)[1].split(end)[0])
                self.assertEqual({"--" + name.lstrip("-") for name in found}, long_options(command), (kind, command))
            if shutil.which(kind):
                self.check_syntax(kind, script)

    def check_syntax(self, shell, script):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(script)
            file.flush()
            run(shell, "-n", file.name)


PAGES = {"man": "share/man/man1/edgeprune.1", "bash": "share/bash-completion/completions/edgeprune",
         "zsh": "share/zsh/vendor-completions/_edgeprune", "fish": "share/fish/vendor_completions.d/edgeprune.fish"}


def files_in(folder):
    return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file()}


class Installation(unittest.TestCase):
    def test_the_program_and_what_goes_with_it(self):
        with tempfile.TemporaryDirectory(prefix="edgeprune prefix ") as prefix:
            install = ["cmake", "--install", pathlib.Path(BINARY).parent, "--prefix", prefix]
            run(*install, "--component", "program")
            documents = {f"share/doc/edgeprune/{name}" for name in ("CHANGELOG.md", "copyright", "third-party.md")}
            self.assertEqual(files_in(prefix), {"bin/edgeprune", *PAGES.values(), *documents})
            self.assertEqual(run(f"{prefix}/bin/edgeprune", "--version"), run(BINARY, "--version"))
            for kind, path in PAGES.items():
                self.assertEqual(pathlib.Path(prefix, path).read_text(), generate(kind), kind)
            program = files_in(prefix)
            run(*install)
            self.assertLessEqual(program, files_in(prefix))
            libraries = {pathlib.Path(path).name for path in files_in(prefix) - program}
            self.assertLessEqual({"edgeprune-config.cmake", "edgeprune-targets.cmake", "network.h", "libedgeprune_nn.a"}, libraries)

    def test_the_binary_is_hardened(self):
        headers = run("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", BINARY)
        self.assertRegex(headers, r"Type: +DYN")
        self.assertIn("GNU_RELRO", headers)
        self.assertRegex(headers, r"\(FLAGS_1\).*\bNOW\b.*\bPIE\b")
        symbols = run("readelf", "--wide", "--dyn-syms", BINARY)
        self.assertIn("__stack_chk_fail", symbols)
        if "build: Debug" not in run(BINARY, "--version"):  # the C library's checks need optimisation
            self.assertRegex(symbols, r"__\w+_chk@GLIBC")

    @unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "dpkg-dev is not installed")
    def test_the_debian_package(self):
        with tempfile.TemporaryDirectory(prefix="edgeprune-deb-") as folder:
            subprocess.run(["cpack", "--config", pathlib.Path(BINARY).parent / "CPackConfig.cmake", "-B", folder],
                           check=True, capture_output=True, timeout=100)
            (package,) = pathlib.Path(folder).glob("*.deb")
            fields = dict(re.findall(r"^(\S+): (.*)$", run("dpkg-deb", "--field", package), re.M))
            self.assertEqual(fields["Version"], run(BINARY, "--version").split()[1] + "-1")
            for library in ("libc6 ", "libdnnl", "libzip", "libhwy", "libssl"):
                self.assertIn(library, fields["Depends"])
            self.assertIn("gnuplot-nox", fields["Recommends"])
            tree = pathlib.Path(folder, "tree")
            run("dpkg-deb", "--extract", package, tree)
            documents = {f"share/doc/edgeprune/{name}"
                         for name in ("changelog.gz", "changelog.Debian.gz", "copyright", "third-party.md")}
            pages = PAGES | {"man": PAGES["man"] + ".gz"}
            self.assertEqual(files_in(tree / "usr"), {"bin/edgeprune", *pages.values(), *documents})
            self.assertEqual(gzip.decompress((tree / "usr" / pages["man"]).read_bytes()).decode(), generate("man"))
            self.assertNotIn(".symtab", run("readelf", "--wide", "--sections", tree / "usr/bin/edgeprune"))
            if shutil.which("lintian"):
                said = subprocess.run(["lintian", "--fail-on", "error", package], capture_output=True, text=True, timeout=100)
                self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


if __name__ == "__main__":
    unittest.main()
