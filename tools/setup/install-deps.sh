#!/usr/bin/env bash
# Installs what lamina is built with, and the packages named as arguments, on
# Debian 12; nothing if all is there.
set -euo pipefail
packages="gcc pkg-config meson ninja-build python3 ocl-icd-opencl-dev
opencl-c-headers pocl-opencl-icd libclblast-dev libyaml-dev libjansson-dev
libstb-dev zlib1g-dev $*"
missing=$(for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
        grep -q 'ok installed' || echo "$p"
done)
[ -z "$missing" ] && exit 0
echo "installing: $(echo $missing)" >&2
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq \
    --no-install-recommends $missing >/dev/null
