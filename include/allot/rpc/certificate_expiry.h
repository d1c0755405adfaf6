#pragma once

#include <string>

#include <prometheus/registry.h>

#include "allot/base/time.h"

namespace allot::rpc {

/// Shows when a certificate ends in allot_certificate_expiry_timestamp_seconds. `holder` is whose
/// it is: "server", "edge", "providers/naver".
void ShowCertificateExpiry(prometheus::Registry& registry, const std::string& holder,
                           Instant expire_time);

}  // namespace allot::rpc
