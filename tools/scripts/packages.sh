#!/usr/bin/env bash
# Installs the packages that edgeprune needs, by the names they have on Debian 12, Debian 13 and Ubuntu 24.04 alike (there
# most of them are in the component universe). Touches neither network nor system when all are there.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: packages.sh [--station | --test | --arm64]

Installs what is missing of the packages needed to build and run edgeprune, as root or through sudo.
  --station also what the inspection station needs (tools/station)
  --test    also what its tests and continuous integration need
  --arm64   what it takes to compile and test for 64-bit ARM (tools/test.sh --preset arm64): libraries of that architecture,
            a cross compiler and qemu. They displace this machine's own libraries: for a system that serves nothing else, as
            prove_in_chroot.sh makes one.
EOF
}

# Debian's CMake files ask for more than their packages bring along: libzip's for its command line tools
# (zipcmp zipmerge ziptool), oneDNN's for OpenCL (ocl-icd-opencl-dev), Aravis' for libusb.
packages=(
  g++ cmake ninja-build
  libdnnl-dev ocl-icd-opencl-dev libhwy-dev libeigen3-dev libssl-dev
  libzip-dev zipcmp zipmerge ziptool zlib1g-dev libwebp-dev libtiff-dev
  libstb-dev libcli11-dev nlohmann-json3-dev libfmt-dev libprotozero-dev
  gnuplot-nox curl ca-certificates
)
# Of the inspection station, which is not cross-compiled.
station_packages=(
  pkg-config libaravis-dev libusb-1.0-0-dev libmodbus-dev libsqlite3-dev libmicrohttpd-dev
)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev python3 ccache git clang-format shellcheck)
station_test_packages=(libcurl4-openssl-dev mbpoll python3-pymodbus openssl prometheus) # its peers

# for_arm64 PACKAGE...: the libraries by their foreign names, save those that are headers for every architecture.
for_arm64() {
  local package
  for package in "$@"; do
    case $package in
      libeigen3-dev | libcli11-dev | libprotozero-dev) echo "$package" ;;
      lib*-dev | ocl-icd-opencl-dev | zlib1g-dev) echo "$package:arm64" ;;
      g++) printf '%s\n' g++-aarch64-linux-gnu qemu-user ;;
      *) echo "$package" ;;
    esac
  done
}

fail() {
  echo "packages.sh: $*" >&2
  exit 1
}

is_installed() {
  dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" 2>&1 </dev/null
}

# The first complaint in apt's output: what it goes on to say is advice.
complaint() {
  grep -m1 '^E: ' <<<"$1" || tail -n1 <<<"$1"
}

install_packages() {
  local updated installed
  # A failed update matters only if the installation fails too (the lists at hand may do), but then it is the cause.
  if updated=$(apt_get -o APT::Update::Error-Mode=any update); then
    updated=""
  fi
  installed=$(apt_get install --yes --no-install-recommends "$@") ||
    fail "cannot install $*: $(complaint "${updated:-$installed}")"
}

foreign=no
case "${1-}" in
  "") ;;
  --station) packages+=("${station_packages[@]}") ;;
  --test) packages+=("${station_packages[@]}" "${test_packages[@]}" "${station_test_packages[@]}") ;;
  --arm64)
    foreign=yes
    mapfile -t packages < <(for_arm64 "${packages[@]}" "${test_packages[@]}")
    ;;
  -h | --help) usage && exit ;;
  *) fail "unknown argument '$1' (see --help)" ;;
esac

command -v apt-get >/dev/null ||
  fail "this is not a Debian system; install the equivalents of: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

((EUID == 0)) || command -v sudo >/dev/null ||
  fail "missing packages: ${missing[*]}; run as root or install sudo"
echo "installing ${missing[*]}" >&2
[[ $foreign == no ]] || as_root dpkg --add-architecture arm64
install_packages "${missing[@]}"
