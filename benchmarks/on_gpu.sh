#!/bin/sh
# benchmarks/on_gpu.sh [FOLDER [PART...]]: everything that needs a GPU, in one go and in at most 14 minutes.
#
# Where a command may take no more than 10 minutes, two do it: with the parts `packages matmul conv2d memory training`,
# at most 7 1/2 minutes, and with `build tests`.
#
# Builds in a copy (build/gpu), so that minidl itself is not installed, and needs no network where PYTHON has PyTorch
# with CUDA and all that the part `packages` would install: CuPy, and `needed`. Each part has its own limit of time,
# leaves its figures in FOLDER (benchmarks/results) as they come, and writes into FOLDER/gpu.log; a part that fails ends
# none of the others. The exit status is the number of those that failed.
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$root/benchmarks/results}"
results=$(cd "${1:-$root/benchmarks/results}" && pwd)
python=$(command -v "${PYTHON:-python3}") || { echo "$0: there is no program ${PYTHON:-python3}" >&2; exit 99; }
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")  # for `cd` below; the link itself, which a venv needs
parts="packages matmul conv2d memory training build tests"
[ $# -eq 0 ] || shift
chosen=" ${*:-$parts} "
for name in $chosen; do
  case " $parts " in *" $name "*) ;; *) echo "$0: there is no part $name, only $parts" >&2; exit 99 ;; esac
done
failed=0
log=$results/gpu.log
: >"$log"

part() { # name, seconds, command
  name=$1 limit=$2
  shift 2
  case $chosen in *" $name "*) ;; *) return ;; esac
  start=$(date +%s)
  before=$(wc -l <"$log")
  timeout -s INT -k 10 "$limit" "$@" >>"$log" 2>&1  # as Ctrl-C: pytest still tells what failed so far
  status=$?
  [ $status -eq 0 ] || failed=$((failed + 1))
  tail -n +$((before + 1)) "$log" | tail -n 30
  echo "== $name: status $status after $(($(date +%s) - start)) s" | tee -a "$log"
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
# CuPy for the CUDA of PyTorch, which brings its own; without one, for what the driver can run.
cuda=$("$python" -c 'import torch; print(torch.version.cuda.split(".")[0])' 2>/dev/null) ||
  cuda=$(nvidia-smi 2>/dev/null | grep -q 'CUDA.*Version: *12\.' && echo 12)
part packages 120 sh -c '
  python=$1 cupy=$2 status=0
  shift 2
  nvidia-smi
  "$python" -m pip install -q "$@" || status=1
  "$python" -c "import cupy; assert int(cupy.__version__.split(\".\")[0]) >= 14" ||
    "$python" -m pip install -q "$cupy" || status=1
  "$python" -c "import torch; print(torch.__version__, torch.cuda.get_device_name())" || echo "no PyTorch for CUDA"
  "$python" -c "import cupy; print(cupy.__version__); cupy.show_config()" || status=1
  exit $status
' packages "$python" "cupy-cuda${cuda:-13}x[ctk]>=14" $needed
# The figures come first: they need none of the extensions, which only the tests compare with.
part matmul 90 "$python" -m benchmarks.gpu matmul --rounds 10 --json "$results/gpu-matmul.json" \
  --plot "$results/gpu-matmul.png"
part conv2d 90 "$python" -m benchmarks.gpu conv2d --rounds 10 --json "$results/gpu-conv2d.json"
part memory 60 "$python" -m benchmarks.gpu memory --json "$results/gpu-memory.json"
part training 80 "$python" -m benchmarks.gpu --training M1 M2 --json "$results/gpu-training.json"
part build 240 "$python" setup.py --quiet build_ext --inplace  # 220 s on two busy cores
# Most of the time goes into compiling. The other folders have no test for a GPU, and need more packages to be read.
part tests 160 "$python" -m pytest -q -m gpu -p no:cacheprovider --numprocesses logical --maxprocesses 8 --durations=5 \
  tests/cuda
exit $failed
