#!/usr/bin/env bash
# Every planted bug still applies to the code as it is, and names rules that the auditor has. Whether the simulation
# finds them, `tests/run --planted-bugs` says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

failed=0
for patch in tests/chaos/planted/*.patch; do
  git apply --check "$patch" || {
    echo "$patch does not apply: write it again for the code as it is"
    failed=1
  }
  rules=$(sed -n 's/^Rule: //p' "$patch")
  for rule in ${rules:-none}; do
    grep -rqF "\"$rule\"" src/chaos || {
      echo "$patch must name by which rule of the auditor it is found (Rule: gpu_once); $rule is none"
      failed=1
    }
  done
done
exit "$failed"
