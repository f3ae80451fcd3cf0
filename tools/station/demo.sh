#!/usr/bin/env bash
# A whole inspection station on this machine: camera, conveyor, PLC, network and page.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/station
out=$root/out/station
# shellcheck source=tools/scripts/stages.sh
source "$root/tools/scripts/stages.sh"

usage() {
  cat <<'EOT'
usage: demo.sh [--items N] [--rate PER_SECOND] [--page PORT]

Installs packages and builds edgeprune, trains a small network on the built-in set for a minute, calibrates it so that what
has stripes is a defect, then runs a fake GigE Vision camera, a fake PLC with a conveyor and the station between them, and
prints the address of its page. Files go to out/station. Ctrl-C ends it, and so do N items (default: none do); then a table
says what became of the items and how long each part of their way took.

  --rate PER_SECOND  items a second (default: 10)
  --page PORT        of the page (default: 8099)

examples:
  tools/station/demo.sh
  tools/station/demo.sh --items 300 --rate 20
EOT
}

build_edgeprune() {
  cmake --preset release -S "$root" -B "$build" -DBUILD_TESTING=OFF -DEDGEPRUNE_BENCH=OFF >/dev/null
  cmake --build "$build" --target edgeprune >&2
}

make_model() {
  [[ -f $out/model.safetensors ]] ||
    "$build/edgeprune" train --data synthetic:4000 --weights random --width 0.5 --epochs 8 --out "$out/model.safetensors"
  "$build/edgeprune" calibrate --model "$out/model.safetensors" --data synthetic:4000 --good disc,ring,square,triangle,cross --recall 0.95 --out "$out/policy.json"
}

write_configuration() {
  cat >"$out/station.json" <<EOT
{"name": "demo line", "model": "model.safetensors", "policy": "policy.json", "engine": "auto",
 "camera": {"gige": "127.0.0.1", "width": 64, "height": 64},
 "plc": {"address": "127.0.0.1", "port": $plc_port},
 "belt": {"distance_mm": 100, "speed_mm_per_s": 500, "actuator_ms": 50},
 "page": {"port": $page}}
EOT
}

items=0 rate=10 page=8099 plc_port=1502
while (($# > 0)); do
  case $1 in
    --items) items=$2 ;;
    --rate) rate=$2 ;;
    --page) page=$2 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

stage packages "$root/tools/scripts/packages.sh" --station
stage build build_edgeprune
mkdir -p "$out"
stage model make_model
write_configuration
print_stage_times

"$build/edgeprune" fakecamera synthetic:4000 &
camera=$!
"$build/edgeprune" fakeplc --port "$plc_port" --rate "$rate" --items "$items" --to-diverter 200 --out "$out/items.csv" &
plc=$!
trap 'kill -INT "$camera" "$plc" 2>/dev/null || true' EXIT
"$build/edgeprune" station --config "$out/station.json" --items "$items"
wait "$plc"
