#!/usr/bin/env bash
# Builds the fuzz targets (Clang, libFuzzer, address and undefined behaviour sanitizers) in build-fuzz and runs them.
# One JSON line a target on stdout, with the path of the input at a finding; exit status 1 if there is one.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]    each for so many seconds, from the corpus of earlier runs
#   tests/fuzz/run.sh short [TARGET...]      seeds, regressions and a fixed number of inputs, the same every time
#   tests/fuzz/run.sh list                   the targets
#
# What a target found goes into tests/fuzz/regressions/TARGET/ and is replayed by every run.
#
# Environment: ALLOT_FUZZ_BUILD_DIR (default build-fuzz), ALLOT_JOBS (default all cores: targets at a time, too),
# ALLOT_FUZZ_SEED (default 1).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
top=$PWD
build=${ALLOT_FUZZ_BUILD_DIR:-$top/build-fuzz}
jobs=${ALLOT_JOBS:-$(nproc)}
seed=${ALLOT_FUZZ_SEED:-1}
compiler=clang++-14

# So many inputs take one to five seconds, most of it for the slow ones' own work.
declare -A short_runs=(
  [apply_files]=3000 [bearer_tokens]=20000 [calls]=1500 [client_certificates]=20000 [orders]=20000 [page_tokens]=20000 [recordings]=1500
  [server_config]=4000 [site_files]=4000 [state_files]=10000 [texts]=20000 [traces]=10000)

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
die() { printf 'tests/fuzz/run.sh: %s\n' "$*" >&2; exit 1; }

# ---- One target ---------------------------------------------------------------------------------------------

# run_one TARGET SECONDS|short: prints its JSON line.
run_one() {
  local target=$1 length=$2
  local log=$build/test-logs/fuzz-$target.log findings=$build/findings/$target corpus started status=0
  local arguments=(-seed="$seed" -timeout=30 -rss_limit_mb=2560 -print_final_stats=1 "-artifact_prefix=$findings/")
  mkdir -p "$build/test-logs" "$findings"
  if [ "$length" = short ]; then
    corpus=$(mktemp -d)
    arguments+=("-runs=${short_runs[$target]:-2000}")
  else
    corpus=$build/corpus/$target
    mkdir -p "$corpus"
    arguments+=("-max_total_time=$length")
  fi
  # A recording has a row for every node.
  if [ "$target" = recordings ]; then arguments+=(-max_len=32768); fi
  if [ -e "tests/fuzz/dictionaries/$target.dict" ]; then arguments+=("-dict=tests/fuzz/dictionaries/$target.dict"); fi
  arguments+=("$corpus")
  for folder in "tests/fuzz/seeds/$target" "tests/fuzz/regressions/$target"; do
    if [ -d "$folder" ]; then arguments+=("$folder"); fi
  done
  started=$SECONDS
  # What of the time it had a processor for: others may run beside it.
  local TIMEFORMAT='%0U' processor_seconds
  processor_seconds=$({ time "$build/bin/fuzz-$target" "${arguments[@]}" >"$log" 2>&1 </dev/null; } 2>&1) || status=$?
  if [ "$length" = short ]; then rm -rf "$corpus"; fi
  awk -v target="$target" -v seconds=$((SECONDS - started)) -v processor_seconds="${processor_seconds##*$'\n'}" \
    -v seed="$seed" -v status="$status" -v log_file="${log#"$top"/}" '
    /^#[0-9]+/ { for (i = 1; i < NF; ++i) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") corpus = $(i + 1) } }
    /^stat::number_of_executed_units:/ { executions = $2 }
    /^stat::peak_rss_mb:/ { memory = $2 }
    /Test unit written to/ && $NF !~ /slow-unit/ { reproducer = $NF }
    END {
      sub(/\/.*/, "", corpus)
      printf "{\"target\":\"%s\",\"seconds\":%d,\"processor_seconds\":%d,\"executions\":%d,\"edges\":%d,\"corpus\":%d,\"rss_mb\":%d,\"seed\":%d,\"findings\":%d",
             target, seconds, processor_seconds, executions, edges, corpus, memory, seed, status != 0
      if (status != 0) printf ",\"status\":%d,\"reproducer\":\"%s\",\"log\":\"%s\"", status, reproducer, log_file
      print "}"
    }' "$log"
  if [ "$status" -ne 0 ]; then
    { grep -anE -A 12 'property does not hold|check failed|runtime error:|ERROR: (Address|Leak|lib)' "$log" || tail -n 20 "$log"; } |
      head -n 40 >&2
  fi
  return "$status"
}

# ---- All ----------------------------------------------------------------------------------------------------

targets=()
for source in tests/fuzz/*.cc; do targets+=("$(basename "$source" .cc)"); done

# The bounds of what is found are the program's: no stack is copied away, and an allocation that fails is told.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0:strict_string_checks=1:allocator_may_return_null=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

case "${1:-}" in
  list) printf '%s\n' "${targets[@]}"; exit 0 ;;
  one) run_one "$2" "$3"; exit ;;
  short) length=short; shift ;;
  [1-9]*) length=$1; shift; [[ $length =~ ^[0-9]+$ ]] || { usage >&2; exit 2; } ;;
  *) usage >&2; exit 2 ;;
esac
if [ $# -gt 0 ]; then
  for name in "$@"; do
    [ -e "tests/fuzz/$name.cc" ] || die "no target called '$name'; tests/fuzz/run.sh list names them"
  done
  targets=("$@")
fi

# libFuzzer and the sanitizers come with a package of their own, which Clang itself does not ask for.
mkdir -p "$build/test-logs" || die "cannot write to $build"
probe='extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
if ! "$compiler" -fsanitize=fuzzer,address -x c++ - -o "$build/probe" <<<"$probe" >"$build/test-logs/probe.log" 2>&1; then
  die "$compiler cannot build with libFuzzer (see ${build#"$top"/}/test-logs/probe.log): deploy/install-packages --tests" \
    "installs clang-14 and libclang-rt-14-dev"
fi

started=$SECONDS
if ! cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$compiler" -DALLOT_FUZZ=ON \
    >"$build/test-logs/configure.log" 2>&1; then
  tail -n 40 "$build/test-logs/configure.log" >&2
  die "the fuzz targets cannot be configured"
fi
if ! ninja -C "$build" -j "$jobs" --quiet "${targets[@]/#/fuzz-}" >"$build/test-logs/build.log" 2>&1; then
  grep -vE '^ninja: (Entering|build stopped)|^\[[0-9]+/[0-9]+\]' "$build/test-logs/build.log" | head -n 120 >&2
  die "the fuzz targets do not build"
fi
echo "tests/fuzz/run.sh: built in $((SECONDS - started)) s" >&2

printf '%s\0' "${targets[@]}" | xargs -0 -P "$jobs" -I '{}' "$top/tests/fuzz/run.sh" one '{}' "$length"
[ "${PIPESTATUS[1]}" -eq 0 ]
