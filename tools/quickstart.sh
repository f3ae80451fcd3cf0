#!/usr/bin/env bash
# From a clean clone to the study's table and plots.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/quickstart # not a preset's own folder: a developer's cached options stay as they are
# shellcheck source=tools/scripts/stages.sh
source "$root/tools/scripts/stages.sh"

usage() {
  cat <<'EOF'
usage: quickstart.sh [ARGUMENTS OF edgeprune study...]

Installs packages, builds edgeprune, finds or downloads CIFAR-10 and ImageNet weights, then fine-tunes, prunes and times
MobileNetV2 (`edgeprune study --quick`). Results go to out/quickstart; killed or run again, it goes on where it was.

examples:
  tools/quickstart.sh
  EDGEPRUNE_DATA=~/cifar10 EDGEPRUNE_WEIGHTS=~/mobilenet_v2.pth tools/quickstart.sh
  EDGEPRUNE_DATA=synthetic EDGEPRUNE_WEIGHTS=random tools/quickstart.sh --threads 2

More on data and weights: tools/scripts/fetch.sh --help
EOF
}

build_edgeprune() {
  cmake --preset release -S "$root" -B "$build" -DBUILD_TESTING=OFF -DEDGEPRUNE_BENCH=OFF -DEDGEPRUNE_STATION=OFF >/dev/null
  cmake --build "$build" --target edgeprune >&2
}

# Sets data, weights and out. Stand-ins get a folder of their own, so that a later run on the real thing does not resume
# theirs.
fetch() {
  local found
  found=$("$root/tools/scripts/fetch.sh")
  data=$(sed -n 's/^data=//p' <<<"$found")
  weights=$(sed -n 's/^weights=//p' <<<"$found")
  out=$root/out/quickstart
  [[ $data != synthetic ]] || out+=-synthetic
  [[ $weights != random ]] || out+=-random
  echo "data: $data, weights: $weights" >&2
}

# The synthetic set as large as the part of CIFAR-10 that the quick study uses: the default one is too small to learn from
# in one epoch.
study() {
  summary=$("$build/edgeprune" study --data "${data/#synthetic/synthetic:20000}" --weights "$weights" --out "$out" --quick --resume "$@")
}

# What the study printed, five lines, comes last.
print_results() {
  if [[ $data == synthetic || $weights == random ]]; then
    echo "NOTE: ran on data: $data, weights: $weights; the accuracies are not those of a pretrained network on CIFAR-10"
  fi
  echo "$summary"
}

if [[ ${1-} == -h || ${1-} == --help ]]; then
  usage
  exit
fi

stage packages "$root/tools/scripts/packages.sh"
stage build build_edgeprune
stage data fetch
stage study study "$@"
print_stage_times
print_results
