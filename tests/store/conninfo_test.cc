#include "store/postgres/conninfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <map>
#include <memory>

namespace allot::store {
namespace {

using ::testing::Contains;
using ::testing::Not;

Conninfo Parsed(const std::string& url) {
  auto conninfo = Conninfo::Parse(url);
  EXPECT_TRUE(conninfo.ok()) << url;
  return *std::move(conninfo);
}

/// What libpq makes of it in the end.
std::map<std::string, std::string> Read(const Conninfo& conninfo) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.str().c_str(), nullptr), &PQconninfoFree);
  EXPECT_TRUE(options) << conninfo.str();
  std::map<std::string, std::string> values;
  for (const auto* option = options.get(); option && option->keyword; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  return values;
}

TEST(Conninfo, SaysToLibpqWhatWasGiven) {
  for (const char* url : {R"(host=h dbname='it\'s one' user=u password='a \\ b')",
                          "postgresql://u:a%20%5C%20b@h/it's%20one"}) {
    const auto values = Read(Parsed(url));
    EXPECT_EQ(values.at("host"), "h");
    EXPECT_EQ(values.at("user"), "u");
    EXPECT_EQ(values.at("password"), R"(a \ b)");
    EXPECT_EQ(values.at("dbname"), "it's one");
    EXPECT_EQ(values.size(), 4U);
  }
  const auto several = Read(Parsed("postgresql://u@a,b:6432,[::1]/d?target_session_attrs=any"));
  EXPECT_EQ(several.at("host"), "a,b,::1");
  EXPECT_EQ(several.at("port"), ",6432,");
  EXPECT_EQ(several.at("target_session_attrs"), "any");
  EXPECT_EQ(Read(Parsed("postgresql://%40abstract/d")).at("host"), "@abstract");
}

// The password may look like what is looked for.
TEST(Conninfo, ADefaultIsForWhatIsNotGiven) {
  for (const char* url : {"postgresql://u:a?b@h/d", "postgresql://u:connect_timeout=3@h/d",
                          "host=h password=connect_timeout=3"}) {
    Conninfo conninfo = Parsed(url);
    conninfo.Default("connect_timeout", "5");
    EXPECT_EQ(Read(conninfo).at("connect_timeout"), "5") << url;
    EXPECT_EQ(Read(conninfo).at("host"), "h") << url;
  }
  Conninfo given = Parsed("postgresql://h/d?connect_timeout=2");
  given.Default("connect_timeout", "5");
  EXPECT_EQ(Read(given).at("connect_timeout"), "2");
}

TEST(Conninfo, WhatWouldBeReadOtherwiseIsRefusedAndNotShown) {
  for (const char* url : {"", "  ", "secret", "postgresql://h/d?nonsense=secret", "host=h secret",
                          "postgresql://u:my@secret@h/d", "postgresql://u:secret/5@h/d",
                          "host=h port=secret", "postgresql://u:%zzsecret@h/d"}) {
    const auto refused = Conninfo::Parse(url);
    ASSERT_FALSE(refused.ok()) << url;
    EXPECT_EQ(refused.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(refused.error().field, "--database");
    EXPECT_THAT(Describe(refused.error()), Not(::testing::HasSubstr("secret")));
  }
}

TEST(Conninfo, IsForPostgresqlsProgramsInTheirEnvironment) {
  const auto environment = Parsed("postgresql://u:a%40b@h:6432/d").Environment();
  for (const char* variable :
       {"PGUSER=u", "PGPASSWORD=a@b", "PGHOST=h", "PGPORT=6432", "PGDATABASE=d"}) {
    EXPECT_THAT(environment, Contains(variable));
  }
}

}  // namespace
}  // namespace allot::store
