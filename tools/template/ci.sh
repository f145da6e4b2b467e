#!/bin/sh
# What CI runs, as root on a fresh Debian 12: installs lamina unless it is there,
# then builds, proves and trains the plugin. PoCL computes on the processor, so
# no GPU is needed. LAMINA is the address of lamina's source.
set -eu
cd "$(dirname "$0")"
if ! pkg-config --exists lamina 2>/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends git ca-certificates
    git clone --quiet --depth 1 "$LAMINA" build-lamina
    build-lamina/tools/setup/install-deps.sh
    meson setup build-lamina/build build-lamina --libdir=lib \
        --buildtype=release -Dtests=false
    meson install -C build-lamina/build --quiet
    ldconfig
fi
meson setup build
meson test -C build --print-errorlogs
