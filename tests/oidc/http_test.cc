#include "oidc/http.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "support/test_issuer.h"

namespace allot::oidc {
namespace {

// Calls within this machine are allowed in plain text because nobody else sees them.
TEST(Http, WhatStaysOnThisMachineGoesThroughNoProxy) {
  const testing::TestIssuer proxy;
  ASSERT_EQ(::setenv("http_proxy", proxy.url().c_str(), 1), 0);
  for (const std::string host : {"127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost"}) {
    const std::string url = "http://" + host + ":1/keys";
    EXPECT_FALSE(HttpGet(url, {}).ok()) << "nobody listens there";
    EXPECT_EQ(proxy.asked(url), 0) << url;
  }
  ASSERT_EQ(::unsetenv("http_proxy"), 0);
}

}  // namespace
}  // namespace allot::oidc
