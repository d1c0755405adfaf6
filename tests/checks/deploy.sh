#!/usr/bin/env bash
# What systemd and people are given to run the service with: the units, and the commands of the manuals. First it
# proves, on a seeded tree, that it would notice each.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

# settings FILE SECTION NAME: its values, one a line.
settings() {
  awk -v section="[$2]" -v name="$3" '
    /^\[/ { within = $0 == section }
    within && index($0, name "=") == 1 { print substr($0, length(name) + 2) }' "$1"
}

check_unit() {
  local unit=$1 path
  # Five starts within ten seconds, which a power cut makes, and systemd would never start it again.
  if [ -n "$(settings "$unit" Service Restart)" ] && [ "$(settings "$unit" Unit StartLimitIntervalSec)" != 0 ]; then
    echo "$unit: is restarted, and needs StartLimitIntervalSec=0 in [Unit]"
  fi
  # Its status counts for no RestartPreventExitStatus: what does not mend itself would be tried for ever.
  if [ -n "$(settings "$unit" Service RestartPreventExitStatus)" ] && [ -n "$(settings "$unit" Service ExecStartPre)" ]; then
    echo "$unit: RestartPreventExitStatus= does not hold for its ExecStartPre="
  fi
  for path in $(settings "$unit" Service ReadWritePaths); do
    case "$path" in -*) ;; *) echo "$unit: ReadWritePaths=$path ends it where that is not there: -$path" ;; esac
  done
}

check_deploy() {
  local root=$1 unit files
  files=$(tree_files "$root")
  (
    cd "$root" || exit 1
    while IFS= read -r unit; do check_unit "$unit"; done < <(grep -E '^deploy/systemd/.*\.service$' <<<"$files")
    # Debian's has no configuration of its own where it looks for one.
    grep -E '^(docs/operator\.md|docs/runbooks/.*\.md)$' <<<"$files" | tr '\n' '\0' |
      xargs -0 -r grep -nHE 'patronictl (list|switchover|failover|reinit|restart|edit-config|show-config)' | sed 's/$/  <- patronictl without -c does not find the cluster/'
  )
}

seeded=$(mktemp -d)
trap 'rm -rf "$seeded"' EXIT
breaks() { expect_violation check_deploy "$1" "$2" <<<"$3"; }
passes() { expect_clean check_deploy "$1" <<<"$2"; }

unit=deploy/systemd/a.service
breaks $unit StartLimitIntervalSec $'[Unit]\n[Service]\nRestart=on-failure'
breaks $unit StartLimitIntervalSec $'[Unit]\n[Service]\nStartLimitIntervalSec=0\nRestart=always'
breaks $unit ExecStartPre $'[Service]\nExecStartPre=/bin/check\nRestartPreventExitStatus=2'
breaks $unit 'ReadWritePaths=/var/b' $'[Service]\nReadWritePaths=-/var/a /var/b'
passes $unit $'[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nExecStartPre=/bin/check\nReadWritePaths=-/a -/b'
breaks docs/runbooks/a.md 'without -c' 'Then patronictl list.'
passes docs/runbooks/a.md 'Then patronictl -c /etc/patroni/config.yml list: patronictl shows it.'

found=$(check_deploy "$top")
# Programs that are installed on the machines themselves are not here.
if command -v systemd-analyze >/dev/null; then
  found+=$(systemd-analyze verify deploy/systemd/*.service deploy/systemd/*.timer 2>&1 | grep 'deploy/systemd\|allot' |
    grep -v 'is not executable: No such file')
fi
if [ -n "$found" ]; then printf '%s\n' "$found"; fi
[ -z "$found" ] && [ "$self_test_failures" -eq 0 ]
