#include "apps/allotd/complaint.h"

#include <iostream>

namespace allot::allotd {

int Complain(const Error& error) {
  std::cerr << "allotd: " << Describe(error) << "\n  " << Advice(error.reason) << "\n";
  return error.reason == Reason::kConfigInvalid ? kUsage : kFailed;
}

}  // namespace allot::allotd
