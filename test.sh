#!/usr/bin/env bash
# Passes all tests: builds, then unit tests, every plugin's proof on an OpenCL
# device, which must be there, ONNX's node tests and training. --long takes more
# of each, and sanitizers, fuzzing, clang-tidy, cppcheck and coverage. Ends with
# "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")"
long=
[[ " $* " == *" --long "* ]] &&
    long="clang-14 clang-tidy-14 libclang-rt-14-dev llvm-14 cppcheck gcovr"
# shellcheck disable=SC2086
tools/setup/install-deps.sh python3-onnx dcmtk build-essential debhelper \
    lintian abigail-tools oclgrind scdoc graphviz zsh fish libopencv-dnn-dev \
    libopenmpi-dev openmpi-bin $long
[ -d build ] || meson setup build >/dev/null
ninja -C build >build/build.log || { tail -40 build/build.log; exit 1; }
export LAM_PLUGIN_PATH=$PWD/build/plugins
export POCL_CACHE_DIR=${POCL_CACHE_DIR:-$PWD/build/pocl-cache}
mkdir -p "$POCL_CACHE_DIR"
exec python3 tests/run_all.py build "$@"
