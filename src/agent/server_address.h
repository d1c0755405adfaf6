#pragma once

#include <string_view>

#include "allot/base/result.h"

namespace allot::agent {

/// "HOST:PORT" with a port from 1 to 65535, "[::1]:PORT" for IPv6; config_invalid otherwise.
Status CheckServerAddress(std::string_view address);
/// Whether what is sent there stays on this machine. Requires: CheckServerAddress accepts it.
bool IsLoopback(std::string_view address);

}  // namespace allot::agent
