# shellcheck shell=bash
# Sourced by the checks: which files a rule looks at, and how a rule proves that it bites.

# tree_files ROOT: one relative path a line. Untracked files that git does not ignore count too, so that
# a new file is checked before it is committed; without git (an unpacked copy) everything but builds.
tree_files() {
  (
    cd "$1" || exit 1
    if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
      git ls-files -co --exclude-standard | while IFS= read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done
    else
      find . -path ./.git -prune -o -path './build*' -prune -o -type f -print | sed 's|^\./||'
    fi
  ) | LC_ALL=C sort -u
}

# expect_violation CHECK PATH PATTERN <content: CHECK on a tree that breaks one rule, in PATH, must name
# the file and match PATTERN, and must say nothing once the file is gone.
# Requires: $seeded is a folder whose tree CHECK accepts.
self_test_failures=0
seeded=${seeded:-}
expect_violation() {
  local check=$1 path=$2 pattern=$3 output
  mkdir -p "$seeded/$(dirname "$path")"
  cat >"$seeded/$path"
  output=$("$check" "$seeded")
  if ! grep -F -- "$path" <<<"$output" | grep -qE -- "$pattern"; then
    echo "self-test: $path should break the rule '$pattern'; got: ${output:-nothing}"
    self_test_failures=$((self_test_failures + 1))
  fi
  rm -f "${seeded:?}/$path"
}

# expect_clean CHECK PATH <content: CHECK accepts the tree with this file in it.
expect_clean() {
  local check=$1 path=$2 output
  mkdir -p "$seeded/$(dirname "$path")"
  cat >"$seeded/$path"
  output=$("$check" "$seeded")
  if [ -n "$output" ]; then
    echo "self-test: $path should pass; got: $output"
    self_test_failures=$((self_test_failures + 1))
  fi
  rm -f "${seeded:?}/$path"
}
