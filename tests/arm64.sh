#!/usr/bin/env bash
# The kernels on arm64, where the register tile is NEON's, on a machine that is none: cross-compiled by GCC, and their
# tests run by QEMU, which takes long: four minutes for 85 tests of matrix products.
#
#     tests/arm64.sh [arguments of pytest]        build/arm64 keeps what was downloaded and compiled
#
# Needs Debian or Ubuntu on x86-64, whose python3 has the version of that in .venv, `make .venv/test.stamp` before,
# and once, as root:
#
#     dpkg --add-architecture arm64 && apt-get update
#     apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

here=$PWD/build/arm64
version=$(.venv/bin/python -c 'import sys; print(*sys.version_info[:2], sep=".")')
mkdir -p "$here/packages"

if [ ! -x "$here/root/usr/bin/python$version" ]; then  # Python with all that it needs, unpacked beside the system's own
  needed=$(apt-cache depends --recurse --no-{recommends,suggests,conflicts,breaks,replaces,enhances} \
    "python$version:arm64" "libpython$version-dev:arm64" libstdc++6:arm64 | grep '^[a-z].*:arm64$' | sort -u)
  (cd "$here/packages" && apt-get download $needed && for file in *.deb; do dpkg -x "$file" ../root; done)
fi

.venv/bin/python -m pip install --quiet --upgrade --target "$here/site" --only-binary=:all: \
  --python-version "$version" --platform manylinux2014_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux_2_28_aarch64 \
  numpy pillow pyyaml safetensors scipy pytest hypothesis

sources=(setup.py minidl kernels -type f ! -name "*.pyc" ! -name "*.so")
if [ ! -e "$here/built" ] || [ -n "$(find "${sources[@]}" -newer "$here/built")" ]; then
  touch "$here/building"  # its time is that of the sources compiled
  CC=aarch64-linux-gnu-gcc LDSHARED="aarch64-linux-gnu-gcc -shared" \
    CFLAGS="-I$here/root/usr/include/python$version -I$here/root/usr/include" \
    SETUPTOOLS_EXT_SUFFIX=.cpython-${version/./}-aarch64-linux-gnu.so \
    .venv/bin/python setup.py --quiet build --build-base "$here" --build-lib "$here/lib"
  [ -e "$here/lib/minidl/kernels/build_failures.json" ] || mv "$here/building" "$here/built"
fi
rm -rf "$here/lib/tests"
cp -r tests pyproject.toml "$here/lib"

# In place of an interpreter; it is sys.executable too, since some tests start another Python.
printf '#!/bin/sh\nexec qemu-aarch64-static -0 "$0" -L "%s" "%s" "$@"\n' "$here/root" "$here/root/usr/bin/python$version" \
  >"$here/python"
chmod +x "$here/python"
cd "$here/lib"
export PYTHONPATH=$here/lib:$here/site
"$here/python" -c 'from minidl.kernels.cpu import tiles; assert tiles.chosen() == "neon", tiles.chosen()'
# That one test counts page faults, and would get those of QEMU.
[ $# = 0 ] &&
  set -- tests/kernels --deselect tests/kernels/test_memory.py::test_numpys_own_arrays_are_in_memory_that_was_used_before
exec "$here/python" -m pytest -q -p no:cacheprovider "$@"
