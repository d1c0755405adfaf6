#!/usr/bin/env bash
# clang-tidy with the checked-in .clang-tidy. By default over base, model, scheduler, replay and control, the layers
# that hold the rules and see no gRPC header; ALLOT_TIDY=all takes every file of src/ (about half a minute
# for each that includes gRPC's headers), ALLOT_TIDY=changed the .cc files that differ from HEAD.
# A file whose text, headers and settings were clean once is not looked at again: the answers are kept in the
# build folder.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

if ! command -v clang-tidy >/dev/null; then echo "clang-tidy is not installed"; exit 77; fi
build=${ALLOT_BUILD_DIR:-build}
case "$build" in /*) ;; *) build=$top/$build ;; esac
if [ ! -e "$build/compile_commands.json" ]; then
  cmake -S . -B "$build" -G Ninja >/dev/null || { echo "cannot configure $build"; exit 1; }
fi

case "${ALLOT_TIDY:-}" in
  all) pattern='^src/.*\.cc$' ;;
  changed) pattern="^($(git diff --name-only HEAD -- 'src/*.cc' | paste -sd'|'))\$" ;;
  *) pattern='^src/(base|model|scheduler|replay|control)/.*\.cc$' ;;
esac
mapfile -t files < <(tree_files . | grep -E "$pattern")
if [ "${#files[@]}" -eq 0 ]; then exit 0; fi

# clang reads the commands that were written for GCC: without GCC's precompiled headers, and without the
# options that only GCC knows.
database=$build/tidy
mkdir -p "$database/clean"
sed -E 's/ -Winvalid-pch//g; s/ -include [^ ]*cmake_pch\.hxx//g; s/ -fpch-preprocess//g;
        s/ -W(duplicated-cond|logical-op|shadow=local|no-restrict|no-maybe-uninitialized|no-stringop-overflow|no-error=[a-z-]+)//g;
        s/ -Werror( |$)/ /g' "$build/compile_commands.json" >"$database/compile_commands.json"

tidy_one() {
  local file=$1 key report
  # A result depends on the file, on every header of ours, on the settings and on the tool.
  key=$(cat "$file" - <<<"$headers" | sha256sum | cut -d' ' -f1)
  if [ -e "$database/clean/$key" ]; then return 0; fi
  if report=$(clang-tidy --quiet -p "$database" "$file" 2>&1); then
    : >"$database/clean/$key"
    return 0
  fi
  grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? generated|^Suppressed|^Use -header-filter' <<<"$report"
  return 1
}
headers=$( { tree_files . | grep -E '^(include|src)/.*\.(h|def)$|^\.clang-tidy$|^CMakeLists.txt$' | tr '\n' '\0' | xargs -0 cat
             clang-tidy --version; } | sha256sum)
export -f tidy_one
export headers database
# shellcheck disable=SC2016  # $1 belongs to the inner shell
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'tidy_one "$1"' -
