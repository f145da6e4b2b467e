"""For the tests here: an installed lamina and nothing else of this project.

Tree(BUILD) installs a build folder under a new temporary folder, and `run`
calls programs as someone would who has only that: no LAM_ variable is set.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]


class Tree:
    def __init__(self, build):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
        self.counts = {"passed": 0, "failed": 0}
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild",
                        "--quiet", "--destdir", self.folder / "root"],
                       check=True, stdout=subprocess.DEVNULL)
        files = [*(self.folder / "root").rglob("lamina.pc")]
        self.prefix = files[0].parents[3]
        self.libdir = files[0].parents[1]
        self.work = self.folder / "work"
        self.work.mkdir()
        self.lamina = self.prefix / "bin" / "lamina"
        self.environment = {
            **{k: v for k, v in os.environ.items()
               if not k.startswith("LAM_")},
            "PATH": f"{self.lamina.parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": str(self.libdir),
            "PKG_CONFIG_PATH": str(files[0].parent),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def run(self, *command, cwd=None, **environment):
        """Runs a command in the work folder; its output, errors in it."""
        return subprocess.run([*map(str, command)], cwd=cwd or self.work,
                              env={**self.environment, **environment},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)

    def variable(self, package, name):
        return self.run("pkg-config", f"--variable={name}",
                        package).stdout.strip()

    def check(self, name, good, done=None):
        self.counts["passed" if good else "failed"] += 1
        text = "" if good or done is None else f"\n{done.stdout}"
        print(("ok     " if good else "FAILED ") + name + text, flush=True)
        return good

    def build(self, source, name):
        """Configures and builds a project of meson's against the tree."""
        done = self.run("meson", "setup", self.work / name, source)
        if not done.returncode:
            done = self.run("meson", "compile", "-C", self.work / name)
        self.check(f"{name} builds", done.returncode == 0, done)
        return self.work / name

    def end(self):
        shutil.rmtree(self.folder)
        print(f"{self.counts['passed']} passed, {self.counts['failed']} failed, "
              "0 skipped")
        sys.exit(self.counts["failed"] > 0)
