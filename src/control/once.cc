#include "allot/control/once.h"

namespace allot::control {

Error RequestIdReused(const Call& call) {
  return FieldError(Reason::kRequestIdReused, "request_id", call.request_id,
                    "a request_id that was not used with another body");
}

Result<std::optional<store::RequestRecord>> FindEarlier(store::Tx& tx, const Call& call) {
  ALLOT_ASSIGN_OR_RETURN(auto earlier, tx.FindRequest(call.principal.key, call.request_id));
  if (earlier && earlier->body_sha256 != call.body_sha256) return RequestIdReused(call);
  return earlier;
}

Status Remember(store::Tx& tx, const Call& call, Instant now, const std::string& response) {
  return tx.InsertRequest({.key = call.principal.key,
                           .request_id = call.request_id,
                           .body_sha256 = call.body_sha256,
                           .response = response,
                           .create_time = now});
}

}  // namespace allot::control
