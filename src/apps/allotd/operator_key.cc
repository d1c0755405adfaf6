#include "apps/allotd/operator_key.h"

#include <memory>

#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/control/identity.h"
#include "allot/store/store.h"
#include "apps/allotd/json_log.h"

namespace allot::allotd {

Status EnsureOperatorKey(const control::Context& context, const DataFolder& folder) {
  ALLOT_RETURN_IF_ERROR(folder.Prepare());
  ALLOT_ASSIGN_OR_RETURN(const bool is_there, folder.HasOperatorKey());
  if (is_there) return Ok{};
  // Before the key is made: one that cannot be kept would be a ministry admin's that nobody has,
  // and another with each attempt.
  ALLOT_ASSIGN_OR_RETURN(FileDraft draft, folder.DraftOperatorKey());
  ALLOT_ASSIGN_OR_RETURN(const control::CreatedKey created, control::CreateFirstKey(context));
  ALLOT_RETURN_IF_ERROR(draft.Complete(created.secret + "\n"));
  LogInfo("operator_key_created", {{"key", created.key.id.str()}, {"file", folder.operator_key()}});
  return Ok{};
}

Result<std::string> CreateOperatorKey(const std::string& database_url) {
  ALLOT_ASSIGN_OR_RETURN(const std::unique_ptr<store::Store> store,
                         store::OpenPostgres({.url = database_url, .connections = 1}));
  const SystemClock clock;
  SystemIdSource ids;
  const Policy policy = DefaultPolicy();
  control::PolicyBook policies(policy);
  const control::Context context{*store, clock, ids, policies};
  ALLOT_ASSIGN_OR_RETURN(const control::CreatedKey created, control::CreateFirstKey(context));
  return created.secret;
}

}  // namespace allot::allotd
