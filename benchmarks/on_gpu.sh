#!/bin/sh
# benchmarks/on_gpu.sh [FOLDER]: everything that needs a GPU, in one go and in less than 14 minutes.
#
# Builds in a copy (build/gpu), so that minidl itself is not installed, and needs no network where PYTHON has PyTorch with
# CUDA and all that the part `packages` would install: the CuPy for the CUDA of PyTorch, and `needed`. Each part has its
# own limit of time and leaves its figures and its log in FOLDER (benchmarks/results); a part that fails ends none of the
# others. The exit status is the number of those that failed.
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$root/benchmarks/results}"
results=$(cd "${1:-$root/benchmarks/results}" && pwd)
python=$(command -v "${PYTHON:-python3}") || { echo "$0: there is no program ${PYTHON:-python3}" >&2; exit 99; }
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")  # for `cd` below; the link itself, which a venv needs
failed=0

part() { # name, seconds, command
  name=$1 limit=$2
  shift 2
  start=$(date +%s)
  timeout -k 10 "$limit" "$@" >"$results/gpu-$name.log" 2>&1
  status=$?
  [ $status -eq 0 ] || failed=$((failed + 1))
  tail -n 12 "$results/gpu-$name.log"
  echo "== $name: status $status after $(($(date +%s) - start)) s"
}

work=$root/build/gpu
mkdir -p "$work"
for entry in minidl kernels tests benchmarks setup.py pyproject.toml README.md LICENSE; do
  rm -rf "${work:?}/$entry"
  cp -r "$root/$entry" "$work"
done
ln -s ../kernels "$work/minidl/kernels"
cd "$work" || exit 99
export PYTHONPATH="$work" MINIDL_REQUIRE_GPU=1 PYTHONUNBUFFERED=1

# As in pyproject.toml. What is there and new enough is left as it is, without a look at the network.
needed="numpy>=2 Pillow>=10 safetensors>=0.4 tqdm>=4.60 matplotlib>=3.8 setuptools>=77 Cython>=3.1"
needed="$needed pytest>=8 pytest-xdist>=3.6 hypothesis>=6.100"
cuda=$("$python" -c 'import torch; print(torch.version.cuda.split(".")[0])' 2>/dev/null || echo 13)
part packages 120 sh -ec '
  python=$1 cupy=$2
  shift 2
  "$python" -m pip install -q "$@"
  "$python" -c "import cupy; assert int(cupy.__version__.split(\".\")[0]) >= 14" || "$python" -m pip install -q "$cupy"
  "$python" -c "import torch; print(torch.__version__, torch.cuda.get_device_name())" || echo "no PyTorch for CUDA"
  "$python" -c "import cupy; print(cupy.__version__); cupy.show_config()"
' packages "$python" "cupy-cuda${cuda}x[ctk]>=14" $needed
part build 300 "$python" setup.py --quiet build_ext --inplace  # 220 s on two busy cores
part matmul 90 "$python" -m benchmarks.gpu matmul --rounds 10 --json "$results/gpu-matmul.json" \
  --plot "$results/gpu-matmul.png"
part conv2d 80 "$python" -m benchmarks.gpu conv2d --rounds 10 --json "$results/gpu-conv2d.json"
part training 60 "$python" -m benchmarks.gpu --training M1 M2 --json "$results/gpu-training.json"
# Most of the time goes into compiling. The other folders have no test for a GPU, and need more packages to be read.
part tests 120 "$python" -m pytest -q -m gpu -p no:cacheprovider -n 4 --durations=5 tests/cuda
exit $failed
