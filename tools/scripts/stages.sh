# shellcheck shell=bash
# Sourced by the scripts that consist of stages: runs them, remembers how long each took, names the one that failed.

stage_times=()
current_stage=""
trap '(($? == 0)) || [[ -z $current_stage ]] || echo "failed: $current_stage" >&2' EXIT

# minutes SECONDS: with one decimal.
minutes() {
  local tenths=$((($1 * 10 + 30) / 60))
  echo "$((tenths / 10)).$((tenths % 10))"
}

# stage NAME COMMAND...: never call it in a condition, or bash ignores the command's failures (set -e).
stage() {
  local began=$SECONDS
  current_stage=$1
  shift
  echo "== $current_stage" >&2
  "$@"
  stage_times+=("$current_stage $(minutes $((SECONDS - began)))")
  current_stage=""
}

# One line: "minutes: packages 0.1, build 3.2, total 3.3".
print_stage_times() {
  local text
  printf -v text '%s, ' "${stage_times[@]}"
  echo "minutes: ${text}total $(minutes "$SECONDS")" >&2
}
