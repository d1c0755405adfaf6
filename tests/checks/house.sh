#!/usr/bin/env bash
# The house rules that a compiler does not hold: names, sizes, the top level, and constructs that are
# banned outside one folder. First it proves, on a seeded tree, that it would notice each.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

# Written so that this file does not contain what it looks for.
unfinished='TO''DO|FIX''ME|XX''X|HA''CK'
top_level=(CMakeLists.txt README.md deploy docs include migrations proto src tests)
lines_max=600

check_house() {
  local root=$1 files code text wanted parent
  files=$(tree_files "$root")
  (
    cd "$root" || exit 1

    # What you cannot name is two things.
    grep -iE '(^|[/_.-])[a-z]*(managers?|helpers?|utils?|utilities|misc)([_.-][^/]*)?(/|$)' <<<"$files" |
      sed 's/$/: a name that says nothing (manager, helper, util, misc)/'

    for wanted in "${top_level[@]}"; do
      grep -qE "^$wanted(/|$)" <<<"$files" || echo "$wanted: missing from the top level"
    done
    cut -d/ -f1 <<<"$files" | sort -u | grep -v '^\.' | grep -vxF -f <(printf '%s\n' "${top_level[@]}") |
      sed 's/$/: does not belong at the top level/'

    mapfile -t text < <(grep -E '^(src|include|proto|migrations|deploy|tests|docs)/|^[^/]*$' <<<"$files" |
      grep -vE '\.(png|jpg|svg|ico|woff2?|gz)$')
    grep -nIE "(^|[^A-Za-z])($unfinished)([^A-Za-z]|$)" -- /dev/null "${text[@]}" | cut -c1-160 | sed 's/$/  <- unfinished/'

    grep -E '^(src|include|proto|tests)/.*\.(cc|h|def|proto|sh|awk|js|ts|py)$|^tests/[a-z-]+$' <<<"$files" | tr '\n' '\0' |
      xargs -0 -r wc -l | awk -v max="$lines_max" '$2 != "total" && $1 > max { print $2 ": " $1 " lines, more than " max ": two things in one?" }'

    mapfile -t code < <(grep -E '^(src|include)/.*\.(cc|h)$' <<<"$files")
    if [ "${#code[@]}" -gt 0 ]; then awk -f "$top/tests/lint/code.awk" "${code[@]}"; fi

    # The folder a checkout lies in, when it is specific enough to mean this machine.
    parent=$(dirname "$PWD")/
    case "$parent" in
      // | /opt/ | /usr/ | /srv/ | /tmp/ | /home/ | /root/ | /var/ | /mnt/) parent=$PWD/ ;;
    esac
    grep -nIF -- "$parent" /dev/null "${text[@]}" | cut -c1-160 | sed 's/$/  <- a path of this machine/'
    # Registry hosts change from machine to machine; a lock file pins by hash.
    grep -E '(package-lock|npm-shrinkwrap)\.json$' <<<"$files" | tr '\n' '\0' |
      xargs -0 -r grep -nHE '"resolved": *"https?:' | cut -c1-120 | sed 's/$/  <- a download address/'
  )
}

seeded=$(mktemp -d)
trap 'rm -rf "$seeded"' EXIT
mkdir -p "$seeded/tree"
seeded=$seeded/tree
for name in "${top_level[@]}"; do
  case "$name" in *.*) echo text >"$seeded/$name" ;; *) mkdir "$seeded/$name" && echo text >"$seeded/$name/a.txt" ;; esac
done
breaks() { expect_violation check_house "$1" "$2" <<<"$3"; }
passes() { expect_clean check_house "$1" <<<"$2"; }

for word in node_manager.cc string_util.h TestHelpers.cc misc.h utils.cc; do breaks "src/model/$word" 'says nothing' '// x'; done
breaks src/utils/node.cc 'says nothing' '// x'
passes src/rpc/managed_node.cc '// x'
breaks extra.txt 'top level' 'x'
breaks scripts 'top level' 'x'
mv "$seeded/docs" "$seeded/.docs"
output=$(check_house "$seeded")
if ! grep -q '^docs: missing' <<<"$output"; then
  echo "self-test: a missing docs/ should be named; got: ${output:-nothing}"
  self_test_failures=$((self_test_failures + 1))
fi
mv "$seeded/.docs" "$seeded/docs"
breaks src/model/a.cc unfinished '// TO''DO: later'
breaks deploy/x unfinished '# FIX''ME'
breaks src/model/a.cc '601 lines' "$(seq 601)"
passes src/model/a.cc "$(seq 600)"
breaks src/control/a.cc 'SQL outside' 'auto q = "SELECT 1 FROM node";'
breaks include/allot/store/a.h 'SQL outside' 'constexpr auto kQuery = "INSERT INTO node VALUES (1)";'
passes src/store/postgres/a.cc 'auto q = "SELECT 1"; throw 1;'
passes src/control/a.cc '// SELECT is what store/postgres does; it may throw
/* throw
   SELECT */ int a; const char* b = "throw // SELECTED";'
breaks src/rpc/a.cc 'throw:' 'if (bad) throw std::runtime_error("x");'
passes src/apps/allotd/main.cc 'throw std::runtime_error("x"); auto t = std::chrono::system_clock::now();'
breaks src/control/a.cc 'system.s clock' 'auto t = std::chrono::system_clock::now();'
breaks src/agent/a.cc 'system.s clock' 'auto t = std::time(nullptr);'
breaks src/base/time.cc 'system.s clock' 'clock_gettime(CLOCK_REALTIME, &ts);'
passes src/base/clock.cc 'auto t = std::chrono::system_clock::now();'
passes src/control/a.cc 'auto start = window.time(0); auto u = runtime(0);'
breaks include/allot/base/a.h 'using namespace' 'using namespace std;'
breaks docs/a.md 'path of this machine' "see $(dirname "$seeded")/notes"
breaks tests/lint/package-lock.json 'download address' '"resolved": "https://registry.example/x.tgz"'

found=$(check_house "$top")
if [ -n "$found" ]; then printf '%s\n' "$found"; fi
[ -z "$found" ] && [ "$self_test_failures" -eq 0 ]
