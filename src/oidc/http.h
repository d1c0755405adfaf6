#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/result.h"

namespace allot::oidc {

struct HttpAnswer {
  long status = 0;
  std::string body;
};

struct HttpOptions {
  /// PEM of the authority to believe; empty: the machine's own.
  std::string ca_file;
  /// Set to true, it ends the call soon.
  const std::atomic<bool>* give_up = nullptr;
};

using Form = std::vector<std::pair<std::string, std::string>>;

/// One call: https, or http on this machine; no redirects; at most 256 KiB; 10 s at the most.
/// issuer_unavailable when there is no answer. What its status says is the caller's to judge.
Result<HttpAnswer> HttpGet(const std::string& url, const HttpOptions& options);
Result<HttpAnswer> HttpPost(const std::string& url, const Form& form, const HttpOptions& options);

}  // namespace allot::oidc
