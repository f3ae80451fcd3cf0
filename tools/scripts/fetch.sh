#!/usr/bin/env bash
# Finds or downloads CIFAR-10 and the ImageNet weights, and prints where they are.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

usage() {
  cat <<'EOF'
usage: fetch.sh

Prints "data=FOLDER" and "weights=FILE" on stdout, each the first of:
  1. $EDGEPRUNE_DATA, $EDGEPRUNE_WEIGHTS  a folder of data (or the word synthetic); a .pth or .safetensors file, or a
                                          folder that holds one (or the word random)
  2. ${XDG_CACHE_HOME:-~/.cache}/edgeprune
  3. a download into that folder: resumed, checksum verified
  4. offline: the words "synthetic" and "random", with a loud warning

Mirrors: EDGEPRUNE_DATA_URL with EDGEPRUNE_DATA_MD5, EDGEPRUNE_WEIGHTS_URL with EDGEPRUNE_WEIGHTS_SHA256 (a prefix will do).
EOF
}

data_url=${EDGEPRUNE_DATA_URL:-https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz}
data_md5=${EDGEPRUNE_DATA_MD5:-c32a1d4ab5d03f1284b67883e8d87530}
data_folder=cifar-10-batches-bin # as the archive calls it
weights_url=${EDGEPRUNE_WEIGHTS_URL:-https://download.pytorch.org/models/mobilenet_v2-b0353104.pth}
weights_sha256=${EDGEPRUNE_WEIGHTS_SHA256:-b0353104}

say() { echo "fetch.sh: $*" >&2; }

fail() {
  say "$@"
  exit 1
}

# warn_loudly LINE...
warn_loudly() {
  local rule
  printf -v rule '%.0s*' {1..100}
  printf '%s\n' "$rule" "${@/#/* }" "$rule" >&2
}

# find_weights FOLDER: its weights file, those of MobileNetV2 first; fails if there is none.
find_weights() {
  local file
  for file in "$1"/mobilenet_v2*.pth "$1"/mobilenet_v2*.safetensors "$1"/*.pth "$1"/*.safetensors; do
    if [[ -f $file ]]; then
      echo "$file"
      return
    fi
  done
  return 1
}

# The user's own data or weights; nothing if the variable is unset. A wrong path is an error, never a fallback: nobody
# wants to learn after hours that the study ran on something else.
given_data() {
  local path=${EDGEPRUNE_DATA:-}
  if [[ -z $path || $path == synthetic ]]; then
    echo "$path"
  elif [[ -d $path ]]; then
    realpath "$path"
  else
    fail "EDGEPRUNE_DATA=$path is not a folder"
  fi
}

given_weights() {
  local path=${EDGEPRUNE_WEIGHTS:-}
  if [[ -z $path || $path == random ]]; then
    echo "$path"
  elif [[ -f $path ]]; then
    realpath "$path"
  elif [[ -d $path ]]; then
    find_weights "$(realpath "$path")" || fail "EDGEPRUNE_WEIGHTS=$path holds no .pth or .safetensors file"
  else
    fail "EDGEPRUNE_WEIGHTS=$path does not exist"
  fi
}

size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# transfer URL FILE: continues FILE where it ends. Prints the HTTP status, returns curl's own.
transfer() {
  local noise=(--silent --show-error)
  [[ -t 2 ]] && noise=(--progress-bar)
  curl --fail --location "${noise[@]}" --connect-timeout 10 --speed-limit 1000 --speed-time 30 \
    --write-out '%{http_code}' --continue-at - --output "$2" "$1"
}

# transfer_persistently URL FILE: tries again as long as the file grows. Returns 1 if the server cannot be had.
transfer_persistently() {
  local url=$1 file=$2 size status answer resumable=yes
  while true; do
    size=$(size_of "$file")
    status=0
    answer=$(transfer "$url" "$file") || status=$?
    # First, because curl 8 calls an answer of 416 a success.
    if [[ $resumable == yes && ($status == 33 || $answer == 416) ]]; then
      resumable=no # the server cannot continue this file: once more, from the start
      rm -f "$file"
    elif ((status == 0)); then
      return 0
    elif ((status == 23)); then
      fail "cannot write $file"
    elif (($(size_of "$file") <= size)); then
      return 1
    fi
  done
}

# checksum_of TOOL FILE
checksum_of() { "$1" <"$2" | cut -d ' ' -f 1; }

# download URL FILE TOOL EXPECTED: FILE appears only if its checksum begins with EXPECTED. Returns 1 when offline.
download() {
  local url=$1 file=$2 tool=$3 expected=${4,,} part=$2.part got
  # A run killed just before the renaming leaves a whole part, which a server would refuse to continue.
  if [[ ! -f $part || $(checksum_of "$tool" "$part") != "$expected"* ]]; then
    say "downloading $url"
    transfer_persistently "$url" "$part" || return 1
  fi
  got=$(checksum_of "$tool" "$part")
  if [[ $got != "$expected"* ]]; then
    rm -f "$part"
    fail "$url: wrong checksum (${tool%sum}): expected $expected, got $got; the download was removed, try again"
  fi
  mv "$part" "$file" || fail "cannot write $file"
}

# unpack ARCHIVE: moves its data folder into the cache, whole or not at all, and removes the archive.
unpack() {
  local archive=$1 scratch=$cache/unpack
  rm -rf "$scratch" # of a killed run
  mkdir "$scratch"
  tar -xzf "$archive" --no-same-owner -C "$scratch" || fail "$archive: cannot be unpacked"
  if [[ ! -d $scratch/$data_folder ]]; then
    rm -rf "$scratch" "$archive"
    fail "$data_url: holds no folder $data_folder; the download was removed"
  fi
  mv "$scratch/$data_folder" "$cache/"
  rm -rf "$scratch" "$archive"
}

# Held until the (sub)shell ends, so that two runs do not write to the same part.
lock_cache() {
  { mkdir -p "$cache" && exec 9>"$cache/lock"; } 2>/dev/null || fail "cannot write to $cache"
  flock --nonblock 9 && return
  say "waiting for another run's download"
  flock 9
}

cached_data() { [[ -d $cache/$data_folder ]] && echo "$cache/$data_folder"; }
cached_weights() { find_weights "$cache"; }

obtain_data() {
  cached_data && return
  lock_cache
  cached_data && return # another run was faster
  local archive=$cache/cifar-10-binary.tar.gz
  if [[ -f $archive ]] || download "$data_url" "$archive" md5sum "$data_md5"; then
    unpack "$archive"
    cached_data
  else
    warn_loudly "NO REAL DATA: cannot download $data_url" \
      "Going on with the built-in SYNTHETIC images: the accuracies say nothing about CIFAR-10." \
      "For real data run this again with a network (a partial download is continued)," \
      "or set EDGEPRUNE_DATA to a folder with CIFAR-10 binary files or one folder of images per class."
    echo synthetic
  fi
}

obtain_weights() {
  cached_weights && return
  lock_cache
  cached_weights && return
  if download "$weights_url" "$cache/mobilenet_v2.pth" sha256sum "$weights_sha256"; then
    cached_weights
  else
    warn_loudly "NO PRETRAINED WEIGHTS: cannot download $weights_url" \
      "Going on with RANDOM weights: a few epochs do not train these to the accuracies of a pretrained network." \
      "For real weights run this again with a network (a partial download is continued)," \
      "or set EDGEPRUNE_WEIGHTS to torchvision's mobilenet_v2-*.pth."
    echo random
  fi
}

case "${1-}" in
  "") ;;
  -h | --help) usage && exit ;;
  *) fail "unknown argument '$1' (see --help)" ;;
esac

data=$(given_data)
weights=$(given_weights)
if [[ -z $data || -z $weights ]]; then
  [[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || fail "neither HOME nor XDG_CACHE_HOME is set: no place for downloads"
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgeprune
fi
[[ -n $data ]] || data=$(obtain_data)
[[ -n $weights ]] || weights=$(obtain_weights)
printf '%s\n' "data=$data" "weights=$weights"
