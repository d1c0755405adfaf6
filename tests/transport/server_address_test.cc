#include "allot/transport/server_address.h"

#include <gtest/gtest.h>

namespace allot::transport {
namespace {

TEST(ServerAddress, SpeaksTlsExceptOnThisMachine) {
  struct Row {
    const char* text;
    bool names_ca;
    ServerAddress address;
  };
  for (const Row& row : {
           Row{"pool.example:8443", false, {"pool.example:8443", true, ""}},
           Row{"https://pool.example:65535", false, {"pool.example:65535", true, ""}},
           Row{"https://pool.example:1/", false, {"pool.example:1", true, ""}},
           Row{"10.0.0.1:80", false, {"10.0.0.1:80", true, ""}},
           Row{"127.0.0.1:8443", false, {"127.0.0.1:8443", false, ""}},
           Row{"localhost:1", false, {"localhost:1", false, ""}},
           Row{"[::1]:8443", false, {"[::1]:8443", false, ""}},
           Row{"http://127.0.0.1:8443", false, {"127.0.0.1:8443", false, ""}},
           Row{"https://127.0.0.1:8443", false, {"127.0.0.1:8443", true, ""}},
           Row{"127.0.0.1:8443", true, {"127.0.0.1:8443", true, ""}},
           Row{"unix:/run/allot.sock", false, {"unix:/run/allot.sock", false, ""}},
           Row{"10.0.0.1:80,10.0.0.2:81",
               false,
               {"ipv4:10.0.0.1:80,10.0.0.2:81", true, "10.0.0.1"}},
           Row{"https://10.0.0.1:80,10.0.0.2:81/",
               true,
               {"ipv4:10.0.0.1:80,10.0.0.2:81", true, "10.0.0.1"}},
           Row{"127.0.0.1:80,127.0.0.2:80",
               false,
               {"ipv4:127.0.0.1:80,127.0.0.2:80", false, "127.0.0.1"}},
           Row{"127.0.0.1:80,10.0.0.2:80",
               false,
               {"ipv4:127.0.0.1:80,10.0.0.2:80", true, "127.0.0.1"}},
           Row{"[fd00::1]:80,[fd00::2]:80",
               false,
               {"ipv6:[fd00::1]:80,[fd00::2]:80", true, "[fd00::1]"}},
       }) {
    const auto address = ParseServerAddress(row.text, row.names_ca, "--server");
    ASSERT_TRUE(address.ok()) << row.text << ": " << Describe(address.error());
    EXPECT_EQ(address->target, row.address.target) << row.text;
    EXPECT_EQ(address->encrypted, row.address.encrypted) << row.text;
    EXPECT_EQ(address->name, row.address.name) << row.text;
  }
}

TEST(ServerAddress, IsAHostAndAPortAndNeverPlainTextToOthers) {
  for (const char* bad : {"",
                          "pool",
                          "pool:",
                          ":8443",
                          "pool:0",
                          "pool:65536",
                          "pool:-1",
                          "pool:x",
                          "pool:80 ",
                          "::1:80",
                          "[]:80",
                          "[::1:80",
                          "a b:80",
                          "http://pool:80",
                          "http://10.0.0.1:80",
                          "https://",
                          "https://pool",
                          "https:/pool:80",
                          "ftp://pool:80",
                          "pool:80/",
                          "https://pool:80/path",
                          "10.0.0.1:80,",
                          ",10.0.0.1:80",
                          "10.0.0.1:80,pool:80",
                          "10.0.0.1:80,10.0.0.2",
                          "10.0.0.1:80, 10.0.0.2:80",
                          "10.0.0.1:80,[fd00::1]:80",
                          "10.0.0.1:80,unix:/run/allot.sock",
                          "http://127.0.0.1:80,10.0.0.1:80",
                          "unix:"}) {
    const auto address = ParseServerAddress(bad, false, "--server");
    ASSERT_FALSE(address.ok()) << bad;
    EXPECT_EQ(address.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(address.error().field, "--server");
  }
  EXPECT_FALSE(ParseServerAddress("http://127.0.0.1:80", /*names_ca=*/true, "--server").ok());
}

TEST(ServerAddress, KnowsWhatStaysOnThisMachine) {
  EXPECT_TRUE(StaysOnThisMachine("127.0.0.1:80"));
  EXPECT_TRUE(StaysOnThisMachine("[::1]:80"));
  EXPECT_TRUE(StaysOnThisMachine("unix:/run/allot.sock"));
  EXPECT_FALSE(StaysOnThisMachine("10.0.0.1:80"));
  EXPECT_FALSE(StaysOnThisMachine("localhost.example:80"));
  EXPECT_FALSE(StaysOnThisMachine("127.example:80")) << "a host's name, not an address";
}

}  // namespace
}  // namespace allot::transport
