#!/usr/bin/env bash
# The main job, from a fresh Debian 12: installs what is needed, builds, trains a
# small segmenter on generated mammograms with PoCL and measures it. Look at
# runs/first/overlays/*.png: image | truth | prediction.
set -euo pipefail
cd "$(dirname "$0")"
tools/setup/install-deps.sh
[ -d build ] || meson setup build >/dev/null
ninja -C build >build/build.log || { tail -40 build/build.log; exit 1; }
export LAM_PLUGIN_PATH=$PWD/build/plugins
rm -rf runs/first
build/tools/lamina train models/unet-small.yaml --data phantom:100:128:7 \
    --set train.epochs=25 --set train.eval_every=5 --run runs/first
build/tools/lamina evaluate runs/first --overlays runs/first/test
echo "look at runs/first/test/*.png (image | truth | prediction) and" \
    "runs/first/metrics.csv"
