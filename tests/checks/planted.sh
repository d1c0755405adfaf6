#!/usr/bin/env bash
# Every planted bug still applies to the code as it is. Whether the simulation finds them, `tests/run --planted-bugs` says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

failed=0
for patch in tests/chaos/planted/*.patch; do
  git apply --check "$patch" || {
    echo "$patch does not apply: write it again for the code as it is"
    failed=1
  }
done
exit "$failed"
