# shellcheck shell=bash
# Other scripts source this. It installs missing packages, configures and builds.
# Its messages go to standard error; standard output belongs to the program.

# The Debian packages that the build and the tests need. This is the only list; scripts/packages prints it.
# (oneDNN 2.6's CMake files ask for OpenCL; isodrop does not use it.)
packages=(
  g++ cmake ninja-build
  libdnnl-dev ocl-icd-opencl-dev libhwy-dev libfmt-dev nlohmann-json3-dev libcxxopts-dev libboost-math-dev libeigen3-dev libxxhash-dev libcsv-dev
  libjs-chart.js libtomlplusplus-dev libsentencepiece-dev libpcre2-dev zlib1g-dev libzstd-dev
  libprotozero-dev
  libgtest-dev libbenchmark-dev librandom123-dev
)

unset CDPATH
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
# shellcheck disable=SC2034  # read by the scripts that source this
build="$root/build/release"

say() { printf '%s\n' "$*" >&2; }
die() { local status=$1; shift; say "$@"; exit "$status"; }

# setup TARGET…: afterwards the targets are built. Two calls at once take turns.
setup() {
  if ! mkdir -p -- "$root/build" || [[ ! -w $root/build ]]; then die 1 "cannot write to $root/build"; fi
  if command -v flock >/dev/null; then
    exec 9>"$root/build/.lock"
    flock --nonblock 9 || { say "waiting for another build in $root/build…"; flock 9; }
  fi
  install_missing
  configure
  build_targets "$@"
  exec 9>&-
}

# --- packages ---------------------------------------------------------------------------------

install_missing() {
  if ! command -v dpkg-query >/dev/null; then
    [[ -e $build/build.ninja ]] ||
      say "not a Debian system: if CMake says that a library is missing, install it yourself (docs/install.md lists all)"
    return
  fi
  local installed missing=() package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    [[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] || missing+=("$package")
  done
  (( ${#missing[@]} == 0 )) && return

  local become=()
  if (( EUID != 0 )); then
    if ! command -v sudo >/dev/null; then
      need_root "as root" "" "${missing[@]}"
    elif sudo -n true 2>/dev/null; then
      become=(sudo -n)
    elif [[ -t 0 && -t 2 ]]; then
      say "installing packages needs root: ${missing[*]}"
      sudo -v || need_root "as a user who may use sudo" "sudo " "${missing[@]}"
      become=(sudo)
    else
      need_root "in a terminal, or as root" "sudo " "${missing[@]}"
    fi
  fi

  local log=$root/build/install.log
  local apt=("${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  say "installing ${missing[*]}…"
  : >"$log"
  # Fetches the package lists only if the present ones do not suffice.
  if ! logged "$log" "${install[@]}"; then
    { logged "$log" "${apt[@]}" update && logged "$log" "${install[@]}"; } ||
      failed "apt-get could not install: ${missing[*]}" "$log"
  fi
}

# need_root WHO PREFIX PACKAGE…
need_root() {
  local who=$1 prefix=$2
  shift 2
  say "isodrop needs packages that are not installed; run this $who:"
  say "  ${prefix}apt-get update && ${prefix}apt-get install -y --no-install-recommends $*"
  exit 2
}

# --- build ------------------------------------------------------------------------------------

# Configures once, and again if the presets, the folder or the CPU have changed: a tree built with
# -march=native elsewhere would crash here. Ninja handles edited CMake files.
configure() {
  local cpu stamp=$build/.isodrop-setup now
  cpu=$({ uname -m; grep -m1 '^model name' /proc/cpuinfo; grep -m1 -E '^(flags|Features)' /proc/cpuinfo; } \
    2>/dev/null | cksum || true)
  # ccache tells two -march=native apart only by this.
  export CCACHE_NAMESPACE="isodrop ${cpu}"
  now="$root $cpu $(cksum <"$root/CMakePresets.json")"
  [[ -e $build/build.ninja && -e $stamp && $(<"$stamp") == "$now" ]] && return

  command -v cmake >/dev/null || die 1 "cmake is not installed"
  local log=$root/build/configure.log fresh=()
  if [[ -e $build/CMakeCache.txt ]]; then
    [[ ! -e $build/build.ninja ]] || say "the build folder is from another machine, folder or preset: building again from the start"
    fresh=(--fresh)
  fi
  : >"$log"
  logged "$log" in_root cmake "${fresh[@]}" --preset release || failed "CMake could not configure the build" "$log"
  [[ -z ${fresh[*]} ]] || logged "$log" cmake --build "$build" --target clean || failed "cleaning failed" "$log"
  printf '%s\n' "$now" >"$stamp"
}

build_targets() {
  local log=$root/build/build.log first=
  if [[ ! -e $log ]]; then
    first=1
    say "building isodrop (a minute or more the first time)…"
  fi
  cmake --build "$build" --target "$@" -- -j "$(jobs_that_fit)" 2>&1 </dev/null 9>&- |
    tee -- "$log" 9>&- | progress "$first" || failed "the build failed" "$log"
}

# progress SAID: reads ninja's output, says once that it builds, and on a terminal shows how far it is.
progress() {
  local line said=$1 step='^(\[[0-9]+/[0-9]+\]) (Building|Linking|Generating)'
  while IFS= read -r line; do
    [[ $line =~ $step ]] || continue
    [[ -n $said ]] || say "building isodrop…"
    said=1
    if [[ -t 2 ]]; then printf '\r%s\e[K' "${BASH_REMATCH[1]}" >&2; fi
  done
  if [[ -t 2 && -n $said ]]; then printf '\r\e[K' >&2; fi
}

# All cores, but no more compilers than fit into memory (1 GB each).
jobs_that_fit() {
  local cores memory
  cores=$(cores)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || true)
  if [[ -n $memory ]] && (( memory < cores )); then cores=$(( memory > 1 ? memory : 1 )); fi
  echo "$cores"
}

# nproc obeys OpenMP's settings, which are about isodrop's threads, not about building it.
cores() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || echo 2; }

# --- helpers ----------------------------------------------------------------------------------

in_root() { (cd -- "$root" && "$@"); }

# logged LOG COMMAND…: appends what the command prints to the log; the lock (9) is not passed on.
logged() {
  local log=$1
  shift
  "$@" >>"$log" 2>&1 </dev/null 9>&-
}

# failed MESSAGE LOG
failed() {
  tail -n 40 -- "$2" >&2
  die 1 "$1; full output: $2"
}
