#!/usr/bin/env bash
# run.sh [--seconds N] [HARNESS...]: builds the harnesses and runs all, or those named, for N seconds each, from the seeds and what
# earlier runs have found (EDGEPRUNE_FUZZ_CORPUS, build/fuzz/corpus). Without --seconds: 20,000 inputs each from the seeds alone,
# the same ones every time, so that what passes once passes again. An input that fails is kept in build/fuzz.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
limits=(-runs=20000 -seed=1)
corpus=build/fuzz/fresh
rm -rf "$corpus"
if [[ ${1:-} == --seconds ]]; then
  # Weighing inputs by how rare their features are takes a fifth of the time of those that read a whole network.
  limits=(-max_total_time="${2:?seconds}" -entropic=0)
  corpus=${EDGEPRUNE_FUZZ_CORPUS:-build/fuzz/corpus}
  shift 2
fi

has_libfuzzer() {
  command -v clang++ >/dev/null || return 1
  echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null
}

if ! has_libfuzzer; then
  echo "fuzzing: skipped: no clang with libFuzzer (packages clang and libclang-rt-14-dev)" >&2
  exit 0
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
folder=build/fuzz/tests/fuzz
"$folder/fuzz_seeds" build/fuzz/seeds
if (($# == 0)); then
  for program in "$folder"/*_fuzz; do
    set -- "$@" "$(basename "${program%_fuzz}")"
  done
fi
for harness in "$@"; do
  mkdir -p "$corpus/$harness"
  echo "== $harness" >&2
  "$folder/${harness}_fuzz" "${limits[@]}" -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$harness-" "$corpus/$harness" "build/fuzz/seeds/$harness"
done
