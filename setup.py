"""Builds the Cython kernels and maps the folder `kernels/` to the package `minidl.kernels`.

The metadata are in pyproject.toml. Every `kernels/**/*.pyx` becomes an extension: a new kernel needs no edit here.
"""

import importlib.util
import json
import os
import shutil
import sys
from copy import copy
from pathlib import Path
from subprocess import CalledProcessError
from threading import Lock

from setuptools import Extension, find_namespace_packages, find_packages, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

COMPILE_FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-pthread"]
LINK_FLAGS = ["-pthread"]

ROOT = Path(__file__).resolve().parent
KERNELS = ROOT / "kernels"


def load_build_report():
    """kernels/build_report.py: what the sources of an extension are, and the stamp by which a binary names them."""
    spec = importlib.util.spec_from_file_location("build_report", KERNELS / "build_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_report = load_build_report()


class BuildAll(build):
    def run(self):
        # A wheel holds whatever lies in build_lib: remove what an older build left there.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildExtensions(build_ext):
    """Compiles the extensions whose stamp differs from their sources and flags.

    Where the C compiler fails, the build goes on without that extension, says so, and leaves the reason for
    `minidl.kernels.build_report`. An error in a `.pyx` itself fails the build.
    """

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self):
        self.failures = {}
        self.cython_lock = Lock()  # extensions are built in threads, but Cython is not thread-safe
        in_place = self.inplace  # setuptools changes it while it builds
        self.keep_current = in_place and not self.force
        super().run()
        folder = KERNELS if in_place else Path(self.build_lib, "minidl", "kernels")
        self.report_failures(folder / build_report.FAILURES)

    def build_extension(self, extension):
        pyx = ROOT / extension.sources[0]
        binary = Path(self.get_ext_fullpath(extension.name))
        binary.unlink(missing_ok=True)
        source_hash = build_report.source_hash(pyx)
        stamp = f"{source_hash} {how_built()}"
        in_place = pyx.with_name(binary.name)
        if self.keep_current and in_place.is_file() and build_report.stamp(in_place).startswith(stamp):
            return
        try:
            translated = copy(extension)
            with self.cython_lock:
                translated.sources = self.translate(extension, stamp)
            super().build_extension(translated)
        except (BaseError, CCompilerError, OSError) as error:
            self.failures[extension.name] = {"source_hash": source_hash, "reason": reason_of(error)}

    def copy_extensions_to_source(self):
        self.force = True  # replace a binary whatever its file time
        super().copy_extensions_to_source()

    def copy_file(self, infile, outfile, *args, **kwargs):
        # replace atomically: a process that has the old binary mapped keeps it
        super().copy_file(infile, f"{outfile}.new", *args, **kwargs)
        os.replace(f"{outfile}.new", outfile)
        return outfile, True

    def translate(self, extension, stamp):
        """Write the C source of the extension below build_temp: its translated `.pyx`, with the stamp at the end."""
        from Cython.Build import cythonize

        # `cimport minidl.kernels.a.b` makes Cython look for minidl/kernels/a/b.pxd, which only this link provides.
        package = Path(self.build_temp, "cimport", "minidl")
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        link = package / "kernels"
        if not (link.exists() and link.samefile(KERNELS)):  # new, or from before this folder was moved or copied
            link.unlink(missing_ok=True)
            link.symlink_to(KERNELS, target_is_directory=True)

        c_folder, include_path = str(Path(self.build_temp, "c")), [str(package.parent)]
        # force=True: Cython would compare file times.
        [in_c] = cythonize([copy(extension)], build_dir=c_folder, include_path=include_path, force=True, quiet=True)
        # The last lines of a file cannot be written in Cython: what the `.pyx` defined to stand there, and the stamp.
        with open(in_c.sources[0], "a", encoding="utf-8") as c_file:
            c_file.write(
                "\n#ifdef MINIDL_END_OF_FILE\nMINIDL_END_OF_FILE\n#endif\n"
                '#ifndef __VERSION__\n#define __VERSION__ "unknown"\n#endif\n'
                "#ifdef __GNUC__\n__attribute__((used))\n#endif\n"
                f'const char minidl_build_stamp[] = "{build_report.STAMP.decode()}{stamp}, compiler " __VERSION__;\n'
            )
        return in_c.sources

    def report_failures(self, path):
        path.unlink(missing_ok=True)
        if not self.failures:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.failures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        lines = [f"  {name}: {failure['reason']}" for name, failure in sorted(self.failures.items())]
        bar = "*" * 100
        head = f"minidl: {len(lines)} of {len(self.extensions)} Cython extensions could NOT be built:"
        tail = "Much slower kernels serve in their place; `minidl info` shows which."
        print(bar, head, *lines, tail, bar, sep="\n", file=sys.stderr)


def reason_of(error):
    """One line: which command failed, without its hundred arguments."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, CalledProcessError):
        return f"{cause.cmd[0]} ended with exit status {cause.returncode}"
    return str(error)


def how_built():
    """The build settings: when any of them changes, all extensions are built again."""
    import Cython

    variables = [f"{name}={os.environ[name]}" for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS") if name in os.environ]
    text = " ".join([f"Cython {Cython.__version__},", *variables, *COMPILE_FLAGS])
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in text)


def extension(pyx):
    """The extension of one `.pyx`; `optional`, so that an in-place build does not copy one that failed."""
    relative = pyx.relative_to(ROOT)
    return Extension(
        name=".".join(("minidl", *relative.with_suffix("").parts)),
        sources=[relative.as_posix()],
        depends=[path.relative_to(ROOT).as_posix() for path in build_report.sources(pyx)],
        include_dirs=["kernels", "kernels/cpu", relative.parent.as_posix()],
        extra_compile_args=COMPILE_FLAGS,
        extra_link_args=LINK_FLAGS,
        optional=True,
    )


def packages():
    """`minidl` with its packages, and `kernels/` with every folder in it, even one that holds headers only."""
    folders = [f"minidl.kernels.{name}" for name in find_namespace_packages("kernels") if "__pycache__" not in name]
    return [*find_packages(include=["minidl", "minidl.*"]), "minidl.kernels", *folders]


setup(
    packages=packages(),
    package_dir={"minidl": "minidl", "minidl.kernels": "kernels"},
    ext_modules=[extension(pyx) for pyx in sorted(KERNELS.rglob("*.pyx"))],
    cmdclass={"build": BuildAll, "build_ext": BuildExtensions},
)
