#pragma once

#include <cstdint>

namespace allot::allotd {

/// Raises this process's own limit of open files and connections to what it may be raised to, and
/// says so in the log when that is less than `needed`: gRPC 1.51 stops accepting connections for
/// good once there is no descriptor left for one (CVE-2023-4785).
void RaiseDescriptorLimit(uint64_t needed);

}  // namespace allot::allotd
