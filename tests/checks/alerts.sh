#!/usr/bin/env bash
# Prometheus itself takes the alarms of deploy/alerts.yaml, each rings for what it is there for, and none in a healthy
# installation. That their metrics and runbooks exist is in tests/e2e/alerts_test.cc.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

if ! command -v promtool >/dev/null; then echo "promtool is not installed (Debian's package prometheus)"; exit 77; fi
promtool check rules deploy/alerts.yaml || exit 1
promtool test rules tests/alerts/alerts_test.yaml || exit 1

# One that is expected to ring has a line of its own, one that is not stands in braces.
alarms=$(sed -n 's/^ *- alert: //p' deploy/alerts.yaml | sort -u)
untested=$(comm -23 - <(sed -n 's/^ *alertname: //p' tests/alerts/alerts_test.yaml | sort -u) <<<"$alarms")
unquiet=$(comm -23 - <(sed -n 's/.*{eval_time: 3h, alertname: \(.*\)}/\1/p' tests/alerts/alerts_test.yaml | sort -u) <<<"$alarms")
for alarm in $untested; do echo "$alarm: tests/alerts/alerts_test.yaml has no case in which it rings"; done
for alarm in $unquiet; do echo "$alarm: tests/alerts/alerts_test.yaml does not expect it to be quiet where all is well"; done
[ -z "$untested$unquiet" ]
