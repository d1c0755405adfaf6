#!/usr/bin/env bash
# Every C++ file is as clang-format would write it: `ninja -C build format` mends what this finds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

if ! command -v clang-format >/dev/null; then echo "clang-format is not installed"; exit 77; fi
# Versions disagree about details; Debian 12's is the one that counts.
if ! clang-format --version | grep -q 'version 14\.'; then echo "clang-format is not version 14: $(clang-format --version)"; exit 77; fi

mapfile -t files < <(tree_files . | grep -E '^(src|include|tests)/.*\.(cc|h)$')
[ "${#files[@]}" -eq 0 ] && exit 0
printf '%s\0' "${files[@]}" | xargs -0 -n 16 -P "$(nproc)" clang-format --dry-run -Werror
