#!/usr/bin/env bash
# `buf lint` over proto/, by the rules in proto/buf.yaml. buf is not in Debian: npm installs the version and
# hash that tests/lint/package-lock.json pins, once, into the build folder. Where that cannot be done the check
# is skipped, except in CI (CI set in the environment), where a check that never runs would look like one
# that passes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD

cannot_run() {
  echo "$1"
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 77
}

jar=/usr/share/java/proto-google-common-protos.jar
command -v npm >/dev/null || cannot_run "npm is not installed (deploy/install-packages --tests)"
[ -e "$jar" ] || cannot_run "$jar is missing (deploy/install-packages)"

# Named by the lock file's content: another version installs beside this one, and a cut-off install is not used.
cache=$top/build/buf/$(sha256sum <tests/lint/package-lock.json | cut -c1-16)
if [ ! -e "$cache/installed" ]; then
  mkdir -p "$cache"
  cp tests/lint/package.json tests/lint/package-lock.json "$cache/"
  if ! (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1); then
    tail -n 5 "$cache/npm.log"
    cannot_run "npm could not fetch buf; without a network this needs an earlier run's $(basename "$top")/build/buf"
  fi
  : >"$cache/installed"
fi

# buf resolves google/ from a second module beside ours, so nothing is fetched from a schema registry.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/google"
cp -R proto "$work/proto"
unzip -q "$jar" 'google/*.proto' -d "$work/google"
printf 'version: v1\ndirectories: [proto, google]\n' >"$work/buf.work.yaml"
printf 'version: v1\n' >"$work/google/buf.yaml"
cd "$work" && BUF_CACHE_DIR=$work/cache "$cache/node_modules/.bin/buf" lint proto
