#!/usr/bin/env bash
# Proves README's two commands, or the Debian package, on a Debian that has nothing else on it: no compiler, no git, no ccache.
set -euo pipefail

apts_proxies=/etc/apt/apt.conf.d/90proxies # in the chroot; written last, so that it tells a finished one

usage() {
  cat <<'EOF'
usage: prove_in_chroot.sh [--mirror URL] [--keep FOLDER] [--package FILE] SUITE [COMMAND...]

Bootstraps SUITE (bookworm, trixie, ...) with debootstrap, clones what is committed here into it and runs there, one after
the other, tools/quickstart.sh and tools/test.sh, or COMMAND instead. Needs root and 3 GB. Fails if a command does.

  --mirror URL    where packages come from; default: this machine's first source of Debian packages
  --keep FOLDER   make the chroot there and keep it, or use the one that is there; default: a temporary one
  --package FILE  install that .deb by dpkg there instead of cloning, and run edgeprune --version and a quick study

Data and weights: EDGEPRUNE_DATA and EDGEPRUNE_WEIGHTS, as for quickstart, but synthetic and random by default; the tests'
shared data: EDGEPRUNE_SHARED. What they name is mounted read-only. apt's proxies are those of this machine.

examples:
  tools/scripts/prove_in_chroot.sh bookworm
  EDGEPRUNE_DATA=~/cifar10 EDGEPRUNE_WEIGHTS=~/mobilenet_v2.pth tools/scripts/prove_in_chroot.sh trixie
  tools/scripts/prove_in_chroot.sh --keep /var/tmp/trixie trixie tools/test.sh -R Sparse
  tools/scripts/prove_in_chroot.sh --package build/package/edgeprune_0.2.0-1_amd64.deb bookworm
EOF
}

fail() {
  echo "prove_in_chroot.sh: $*" >&2
  exit 1
}

machines_mirror() {
  # shellcheck disable=SC2016 # apt's own placeholders
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Identifier: Packages' | sed -n 's/^Debian //p' | head -n 1
}

bootstrap() {
  mirror=${mirror:-$(machines_mirror)}
  [[ -n $mirror ]] || fail "apt has no source of Debian packages here; name one by --mirror"
  local proxy=${http_proxy-}
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  http_proxy=$proxy debootstrap --variant=minbase "$suite" "$chroot" "$mirror" >&2
  apt-config dump | grep -E '^Acquire::https?::' >"$chroot$apts_proxies" || true
}

# share VARIABLE: what it names, read-only inside; words like "synthetic" are passed on.
share() {
  local path=${!1} inside=/mnt/$1
  if [[ -d $path ]]; then
    mkdir -p "$chroot$inside"
  elif [[ -f $path ]]; then
    inside+=.${path##*.} # the name's end tells the format
    touch "$chroot$inside"
  else
    environment+=("$1=$path")
    return
  fi
  mount --bind "$(realpath "$path")" "$chroot$inside"
  mount -o remount,bind,ro "$chroot$inside"
  environment+=("$1=$inside")
}

in_chroot() {
  env -i "${environment[@]}" chroot "$chroot" sh -c 'cd /root/edgeprune && exec "$@"' sh "$@" </dev/null
}

# dpkg alone does the installing, after all that the package depends on.
install_package() {
  local depends
  depends=$(dpkg-deb --field "$chroot/root/edgeprune/package.deb" Depends)
  in_chroot apt-get -qq update
  in_chroot env DEBIAN_FRONTEND=noninteractive apt-get -qq satisfy --yes --no-install-recommends "$depends"
  in_chroot dpkg --install package.deb
}

# Called in a mount namespace of its own: however it ends, nothing stays mounted.
prove() {
  environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root)
  mount -t proc proc "$chroot/proc"
  mount -t sysfs -o ro sysfs "$chroot/sys"
  mount -t tmpfs tmpfs "$chroot/dev/shm"
  cp /etc/resolv.conf "$chroot/etc/resolv.conf"
  local variable command began times=()
  for variable in EDGEPRUNE_DATA EDGEPRUNE_WEIGHTS EDGEPRUNE_SHARED; do
    [[ -z ${!variable-} ]] || share "$variable"
  done
  local commands=(tools/quickstart.sh tools/test.sh)
  if [[ -f $chroot/root/edgeprune/package.deb ]]; then
    install_package
    commands=("edgeprune --version" "edgeprune study --quick --out first")
  fi
  if (($# > 0)); then
    in_chroot "$@"
    return
  fi
  for command in "${commands[@]}"; do
    began=$SECONDS
    in_chroot sh -c "$command" || fail "$suite: $command failed"
    times+=("$suite: $command passed in $((SECONDS - began)) s")
  done
  printf '%s\n' "${times[@]}"
}

if [[ ${1-} == --inside ]]; then # this script, called by itself
  chroot=$2 suite=$3
  prove "${@:4}"
  exit
fi

mirror="" keep="" package=""
while [[ ${1-} == -* ]]; do
  case $1 in
    -h | --help) usage && exit ;;
    --mirror) mirror=${2-} ;;
    --keep) keep=${2-} ;;
    --package) package=${2-} ;;
    *) fail "unknown option '$1' (see --help)" ;;
  esac
  (($# >= 2)) || fail "$1 wants a value (see --help)"
  shift 2
done
(($# > 0)) || fail "which suite? (see --help)"
suite=$1
shift
((EUID == 0)) || fail "only root can make a chroot"
command -v debootstrap >/dev/null || fail "debootstrap is not installed"
[[ -z $package || -f $package ]] || fail "--package: there is no file $package"

script=$(realpath "${BASH_SOURCE[0]}")
chroot=$keep
if [[ -z $keep ]]; then
  chroot=$(mktemp -d "${TMPDIR:-/var/tmp}/edgeprune-$suite.XXXXXX")
  trap 'rm -rf "$chroot"' EXIT
fi
[[ -f $chroot$apts_proxies ]] || bootstrap
rm -rf "$chroot/root/edgeprune"
if [[ -n $package ]]; then
  install -D "$package" "$chroot/root/edgeprune/package.deb"
else
  git clone --quiet "$(dirname "$script")/../.." "$chroot/root/edgeprune"
fi
export EDGEPRUNE_DATA=${EDGEPRUNE_DATA:-synthetic} EDGEPRUNE_WEIGHTS=${EDGEPRUNE_WEIGHTS:-random}
unshare --mount --pid --fork --kill-child "$script" --inside "$chroot" "$suite" "$@"
