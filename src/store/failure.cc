#include "store/failure.h"

#include <string>

namespace allot::store {

using Remedy = Failure::Remedy;

Error StoreConflict() {
  return StateError(Reason::kStoreConflict, "Others changed the same rows at the same time.");
}

Error StoreUnavailable(std::string_view what) {
  return StateError(Reason::kStoreUnavailable, std::string(what));
}

Failure AlreadyThere(int run) {
  // It may have been committed after the work looked for it.
  if (run == 0) return {StoreConflict(), Remedy::kRerun};
  return {StateError(Reason::kAlreadyExists, "It exists already."), Remedy::kReport};
}

Failure RefersToNothing() {
  return {StateError(Reason::kNotFound, "Something that this refers to does not exist."),
          Remedy::kReport};
}

Failure IllegalTransition() {
  return {StateError(Reason::kTransitionNotAllowed,
                     "The allocation's state does not allow this change."),
          Remedy::kReport};
}

Failure NotUtf8() {
  return {StateError(Reason::kTextInvalid, "A text is not valid UTF-8."), Remedy::kReport};
}

Failure ZeroByte() {
  return {StateError(Reason::kTextInvalid, "A text contains a zero byte."), Remedy::kReport};
}

std::optional<Failure> Judge(const Status& done, const std::optional<Failure>& lost) {
  if (lost) {
    if (lost->remedy == Remedy::kReport && !done.ok())
      return Failure{done.error(), Remedy::kReport};
    return lost;
  }
  if (done.ok()) return std::nullopt;
  const bool conflict = done.error().reason == Reason::kStoreConflict;
  return Failure{done.error(), conflict ? Remedy::kRerun : Remedy::kReport};
}

}  // namespace allot::store
