#pragma once

#include <string>

#include "allot/model/request.h"
#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// "H200", "H200 or B200".
std::string DescribeModels(const Request& request);
/// "asks 4 nodes x 8 GPUs of H200 for 7d".
std::string DescribeAsk(const Request& request);
/// "1 node", "4 nodes".
std::string Count(int64_t count, const std::string& noun);

}  // namespace allot::scheduler
