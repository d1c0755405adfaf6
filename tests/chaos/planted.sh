#!/usr/bin/env bash
# Plants one bug after the other (tests/chaos/planted/*.patch) in a copy of the tree, builds allot-sim, and requires
# that `allot-sim chaos` finds it by the rule that its patch names ("Rule: gpu_once"; of several, any one). A patch that
# no longer applies, or whose bug is not found, or by another rule, fails.
#
#   tests/run --planted-bugs             all of them
#   tests/chaos/planted.sh NAME…         some of them, by the name of their file without .patch
#
# Environment: ALLOT_BUILD_DIR (default build), ALLOT_JOBS (default all cores), ALLOT_PLANTED_SEEDS (default 3000:
# how many seeds a bug may hide from).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
top=$PWD
build=${ALLOT_BUILD_DIR:-$top/build}
jobs=${ALLOT_JOBS:-$(nproc)}
seeds=${ALLOT_PLANTED_SEEDS:-3000}
tree=$build/planted/tree

names=("$@")
if [ "${#names[@]}" -eq 0 ]; then
  for patch in tests/chaos/planted/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

# What is tracked, and what is new and not ignored. Only what differs is written, with a new date: Ninja would take a
# file of an older date for the one with the bug that it was compiled with.
mkdir -p "$tree" || exit 2
files() { git ls-files --cached --others --exclude-standard -- CMakeLists.txt include src proto migrations tests; }
(cd "$tree" && find . -type f -printf '%P\n') | sort | comm -23 - <(files | sort) | (cd "$tree" && xargs -r rm --)
while IFS= read -r file; do
  if [ -e "$file" ] && ! cmp -s "$file" "$tree/$file"; then
    mkdir -p "$tree/$(dirname "$file")" && cp "$file" "$tree/$file" || exit 2
  fi
done < <(files)

make_sim() {
  cmake -S "$tree" -B "$build/planted/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >"$build/planted/configure.log" 2>&1 &&
    ninja -C "$build/planted/build" -j "$jobs" allot-sim >"$build/planted/build.log" 2>&1
}
run_sim() { "$build/planted/build/bin/allot-sim" chaos --seed 1 --seeds "$seeds" --jobs "$jobs" --quiet --json 2>&1; }

caught=0 missed=0
say_missed() { printf '%-40s %s\n' "$1" "$2"; missed=$((missed + 1)); }

for name in "${names[@]}"; do
  patch=$top/tests/chaos/planted/$name.patch
  rules=$(sed -n 's/^Rule: //p' "$patch")
  if [ -z "$rules" ]; then
    say_missed "$name" "names no rule"
    continue
  fi
  if ! patch --dry-run --silent --strip=1 --directory="$tree" --fuzz=0 <"$patch" >/dev/null 2>&1; then
    say_missed "$name" "does not apply any more"
    continue
  fi
  patch --silent --strip=1 --directory="$tree" --fuzz=0 <"$patch"
  if make_sim; then
    found=$(run_sim)
    status=$?
    # Seeds run side by side: the lowest is the one that finds it, whichever was done first.
    first=$(sed -n 's/^allot-sim: \(seed [0-9]*, step .*\)/\1/p' <<<"$found" | sort -t' ' -k2,2n | head -n 1)
    rule=${first#*: }
    rule=${rule%%:*}
    if [ "$status" -ne 1 ] || [ -z "$first" ]; then
      say_missed "$name" "not found in $seeds seeds (status $status)"
    elif [[ " $rules " != *" $rule "* ]]; then
      say_missed "$name" "found by another rule than $rules: ${first:0:150}"
    else
      printf '%-40s caught: %s\n' "$name" "${first:0:150}"
      caught=$((caught + 1))
    fi
  else
    say_missed "$name" "does not build: $(grep -m 1 'error' "$build/planted/build.log" | cut -c1-150)"
  fi
  patch --silent --strip=1 --directory="$tree" --reverse <"$patch"
done
printf '{"planted": %d, "caught": %d, "seeds": %d}\n' "${#names[@]}" "$caught" "$seeds"
[ "$missed" -eq 0 ]
