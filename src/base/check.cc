#include "allot/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace allot {

void CheckFailed(const char* condition, const char* file, int line) {
  // One write, so that lines of other threads cannot come in between.
  static_cast<void>(std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition));
  std::abort();
}

}  // namespace allot
