#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs all tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/scripts/stages.sh
source "$root/tools/scripts/stages.sh"

usage() {
  cat <<'EOF'
usage: test.sh [--preset release|debug|asan|arm64] [ARGUMENTS OF ctest...]

examples:
  tools/test.sh
  tools/test.sh -R Safetensors
  tools/test.sh --preset asan
  tools/scripts/prove_in_chroot.sh trixie tools/test.sh --preset arm64  # cross-compiled, under qemu
EOF
}

build_all() {
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" >&2
}

preset=release
case "${1-}" in
  -h | --help) usage && exit ;;
  --preset)
    (($# >= 2)) || { usage >&2 && exit 2; }
    preset=$2
    shift 2
    ;;
esac

# Allocations too large for the sanitizer's allocator return null, as they do without it, so that the code under test
# gets to throw.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

cd "$root" # where cmake and ctest look for presets
packages=--test
[[ $preset != arm64 ]] || packages=--arm64
stage packages tools/scripts/packages.sh "$packages"
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
stage build build_all
print_stage_times
# ctest's own summary, with the time the tests took, comes last.
exec ctest --preset "$preset" --no-tests=error --no-label-summary "$@"
