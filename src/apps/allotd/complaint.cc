#include "apps/allotd/complaint.h"

#include <iostream>

#include "allot/store/inspection.h"

namespace allot::allotd {

int Complain(const Error& error) {
  std::cerr << "allotd: " << Describe(error) << "\n  " << Advice(error.reason) << "\n";
  return error.reason == Reason::kConfigInvalid ? kUsage : kFailed;
}

int ComplainOf(const std::string& database_url, const Error& error) {
  const bool unknown = error.reason == Reason::kCommitOutcomeUnknown;
  if (!unknown && error.reason != Reason::kStoreUnavailable) return Complain(error);
  std::cerr << "allotd: " << Describe(error) << "\n";
  if (const auto why = store::WhyUnreachable(database_url)) std::cerr << "  " << *why << "\n";
  std::cerr << (unknown ? "  It may have happened: look, and run it again if it has not.\n"
                        : "  Run it again when that is mended; what was done before stays done.\n");
  return kFailed;
}

}  // namespace allot::allotd
