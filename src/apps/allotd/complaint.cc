#include "apps/allotd/complaint.h"

#include <iostream>

#include "allot/store/inspection.h"

namespace allot::allotd {

int Complain(const Error& error) {
  std::cerr << "allotd: " << Describe(error) << "\n  " << Advice(error.reason) << "\n";
  return error.reason == Reason::kConfigInvalid ? kUsage : kFailed;
}

int ComplainOf(const std::string& database_url, const Error& error) {
  if (error.reason != Reason::kStoreUnavailable) return Complain(error);
  std::cerr << "allotd: " << Describe(error) << "\n";
  if (const auto why = store::WhyUnreachable(database_url)) std::cerr << "  " << *why << "\n";
  std::cerr << "  Nothing was changed: run it again when the database can be reached.\n";
  return kFailed;
}

}  // namespace allot::allotd
