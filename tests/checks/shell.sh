#!/usr/bin/env bash
# Every shell script goes through shellcheck, found by its first line rather than by its name.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

if ! command -v shellcheck >/dev/null; then echo "shellcheck is not installed"; exit 77; fi
scripts=()
while IFS= read -r file; do
  read -r first <"$file" 2>/dev/null || true
  case "$first" in '#!'*[/\ ]bash | '#!'*[/\ ]sh | '# shellcheck shell='*) scripts+=("$file") ;; esac
done < <(tree_files . | grep -E '^(\.ci|deploy|tests|docs|src)/' | grep -vE '\.(cc|h|sql|json|png|svg|md|golden|txt)$')
shellcheck --external-sources "${scripts[@]}"
