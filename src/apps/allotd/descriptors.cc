#include "apps/allotd/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

#include "apps/allotd/json_log.h"

namespace allot::allotd {
namespace {

/// More than a server ever needs; some system calls get slower with the limit itself.
constexpr rlim_t kDescriptorsMax = 65'536;

}  // namespace

void RaiseDescriptorLimit(uint64_t needed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t allowed = std::min(limit.rlim_max, kDescriptorsMax);
  if (limit.rlim_cur < allowed) {
    limit.rlim_cur = allowed;
    static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
    static_cast<void>(getrlimit(RLIMIT_NOFILE, &limit));
  }
  if (limit.rlim_cur >= needed) return;
  LogWarning("descriptors_few",
             {{"limit", limit.rlim_cur},
              {"needed", needed},
              {"advice",
               "Raise the limit of open files (LimitNOFILE, ulimit -n), or have fewer "
               "connections allowed by the edge."}});
}

}  // namespace allot::allotd
