#!/usr/bin/env bash
# Who may include whom. CMake cannot see a wrong #include below a shared include/, so this holds the table
# (it stands in tests/lint/layers.awk). First it proves, on a seeded tree, that it would notice.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
# shellcheck source=tests/lint/files.sh
source tests/lint/files.sh

check_layers() {
  local files
  mapfile -t files < <(tree_files "$1" | grep -E '^(src|include)/.*\.(cc|h|def)$')
  if [ "${#files[@]}" -gt 0 ]; then (cd "$1" && awk -f "$top/tests/lint/layers.awk" "${files[@]}"); fi
}

seeded=$(mktemp -d)
trap 'rm -rf "$seeded"' EXIT
breaks() { expect_violation check_layers "$1" "$2" <<<"$3"; }
passes() { expect_clean check_layers "$1" <<<"$2"; }

breaks src/base/a.cc 'base must not include model' '#include "allot/model/node.h"'
breaks src/base/a.cc 'base must not see nlohmann' '#include <nlohmann/json.hpp>'
breaks include/allot/model/a.h 'model must not include store' '#include "allot/store/store.h"'
breaks src/model/a.cc 'model must not include proto' '#include "allot/v1/node.pb.h"'
breaks src/scheduler/a.cc 'scheduler must not include store' '#  include "allot/store/store.h"'
breaks src/scheduler/a.cc 'scheduler must not see spdlog' '#include <spdlog/spdlog.h>'
breaks src/store/a.cc 'store must not include scheduler' '#include "allot/scheduler/plan.h"'
breaks src/store/a.cc 'store must not see pqxx' '#include <pqxx/pqxx>'
breaks src/store/a.cc 'store must not include store/postgres' '#include "store/postgres/connection.h"'
breaks include/allot/store/a.h 'store must not see pqxx' '#include <pqxx/connection>'
breaks src/store/postgres/a.cc 'must not include proto' '#include "allot/v1/node.pb.h"'
breaks src/control/a.cc 'control must not include proto' '#include "allot/v1/node.pb.h"'
breaks src/control/a.cc 'control must not see grpc' '#include <grpcpp/grpcpp.h>'
breaks src/control/a.cc 'control must not see grpc' '#include <google/protobuf/message.h>'
breaks src/control/a.cc 'control must not see pqxx' '#include <pqxx/pqxx>'
breaks src/control/a.cc 'control must not include store/postgres' '#include "store/postgres/connection.h"'
breaks src/rpc/a.cc 'rpc must not include store' '#include "allot/store/store.h"'
breaks src/rpc/a.cc 'rpc must not include scheduler' '#include "allot/scheduler/plan.h"'
breaks src/rpc/a.cc 'rpc must not see pqxx' '#include <pqxx/pqxx>'
breaks src/agent/a.cc 'agent must not include control' '#include "allot/control/submit.h"'
breaks src/cli/a.cc 'cli must not include model' '#include "allot/model/node.h"'
breaks src/apps/allotd/a.cc 'apps must not see pqxx' '#include <pqxx/pqxx>'
breaks include/allot/base/a.h 'base must not see absl' '#include <absl/strings/str_cat.h>'
breaks include/allot/rpc/a.h 'private' '#include "rpc/parse.h"'
breaks src/rpc/a.cc 'relative include' '#include "../control/submit.h"'
breaks src/rpc/a.cc 'without an entry' '#include <zlib/zlib.h>'
breaks src/rpc/a.cc 'rpc must not see curl' '#include <curl/curl.h>'
breaks src/oidc/a.cc 'oidc must not include model' '#include "allot/model/principal.h"'
breaks src/cellar/a.cc 'no row for cellar' '#include <vector>'
for header in chrono random iostream thread mutex unordered_map unordered_set fstream sys/stat.h; do
  breaks src/model/a.cc 'model is pure' "#include <$header>"
  breaks src/scheduler/a.cc 'scheduler is pure' "#include <$header>"
done
passes src/scheduler/a.cc '#include "allot/scheduler/plan.h"
#include <algorithm>
#include <vector>
#include "allot/base/id.h"
#include "scheduler/segment.h"
// #include "allot/store/store.h" in a comment is no include'
passes src/store/postgres/a.cc '#include <pqxx/pqxx>
#include "store/postgres/connection.h"'
passes src/rpc/a.cc '#include <grpcpp/grpcpp.h>
#include "allot/control/submit.h"
#include "allot/v1/node.grpc.pb.h"'
passes src/apps/allotd/a.cc '#include "allot/store/store.h"
#include "apps/allotd/config.h"'

found=$(check_layers "$top")
if [ -n "$found" ]; then printf '%s\n' "$found"; fi
[ -z "$found" ] && [ "$self_test_failures" -eq 0 ]
