#include "allot/model/policy_settings.h"

#include <gtest/gtest.h>

#include <set>

namespace allot {
namespace {

Policy Sound() { return DefaultPolicy(); }

TEST(PolicySettings, TheDefaultPolicyIsSound) {
  const Status sound = CheckPolicy(Sound());
  EXPECT_TRUE(sound.ok()) << Describe(sound.error());
}

TEST(PolicySettings, EachIsReadAndWrittenByItsNameAlone) {
  std::set<std::string_view> names;
  for (const PolicySetting& setting : PolicySettings()) {
    SCOPED_TRACE(setting.name);
    EXPECT_TRUE(names.insert(setting.name).second);
    EXPECT_EQ(FindPolicySetting(setting.name), &setting);
    ASSERT_LT(setting.min, setting.max);
    Policy policy = Sound();
    const int64_t other = Get(policy, setting) == setting.max ? setting.min : setting.max;
    Set(policy, setting, other);
    EXPECT_EQ(Get(policy, setting), other);
    int changed = 0;
    for (const PolicySetting& any : PolicySettings())
      changed += Get(policy, any) != Get(Sound(), any);
    EXPECT_EQ(changed, 1);
  }
  EXPECT_EQ(FindPolicySetting("no_such_setting"), nullptr);
}

TEST(PolicySettings, OnlyTheRangeIsSound) {
  for (const PolicySetting& setting : PolicySettings()) {
    SCOPED_TRACE(setting.name);
    for (const int64_t value : {setting.min - 1, setting.max + 1}) {
      Policy policy = Sound();
      if (setting.is_time()) {
        policy.*std::get<Seconds Policy::*>(setting.member) = Seconds{value};
      } else {
        policy.*std::get<int Policy::*>(setting.member) = static_cast<int>(value);
      }
      const Status status = CheckPolicy(policy);
      ASSERT_FALSE(status.ok()) << value;
      EXPECT_EQ(status.error().reason, Reason::kPolicyInvalid);
      EXPECT_EQ(status.error().field, setting.name);
      EXPECT_EQ(status.error().limit, RangeOf(setting));
    }
  }
}

TEST(PolicySettings, WhatIsWrongIsNamedByItsPath) {
  const struct {
    const char* path;
    void (*spoil)(Policy&);
  } rows[] = {
      {"programmes", [](Policy& p) { p.programmes.clear(); }},
      {"programmes.national", [](Policy& p) { p.programmes.push_back(p.programmes.back()); }},
      {"programmes.call-2026-1", [](Policy& p) { std::swap(p.programmes[0], p.programmes[1]); }},
      {"programmes.No", [](Policy& p) { p.programmes[0].programme = ProgrammeId("No"); }},
      {"programmes.call-2026-1.gpus_max.H200", [](Policy& p) { p.programmes[0].gpus_max[1] = -1; }},
      {"programmes.call-2026-1.gpus_max.B200",
       [](Policy& p) { p.programmes[0].gpus_max[0] = 16'385; }},
      {"programmes.national.duration_max",
       [](Policy& p) { p.programmes[1].duration_max = Days(367); }},
      {"programmes",
       [](Policy& p) {
         const ProgrammeCaps caps = p.programmes[0];
         p.programmes.clear();
         for (int i = 100; i <= 200; ++i) {
           p.programmes.push_back(caps);
           p.programmes.back().programme = ProgrammeId("p" + std::to_string(i));
         }
       }},
      {"node_down_after", [](Policy& p) { p.node_down_after = p.heartbeat_expiry; }},
      {"planning_horizon",
       [](Policy& p) {
         p.planning_horizon = Days(1);
         p.gathering_time = Days(1);
       }},
      {"starvation_bound", [](Policy& p) { p.starvation_bound = p.gathering_time; }},
      {"planning_horizon", [](Policy& p) { p.promise_within = p.planning_horizon + Seconds{1}; }},
  };
  for (const auto& row : rows) {
    Policy policy = Sound();
    row.spoil(policy);
    const Status status = CheckPolicy(policy);
    ASSERT_FALSE(status.ok()) << row.path;
    EXPECT_EQ(status.error().field, row.path);
    EXPECT_EQ(status.error().reason, Reason::kPolicyInvalid);
  }
}

}  // namespace
}  // namespace allot
