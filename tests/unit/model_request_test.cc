#include "allot/model/request.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "allot/model/policy.h"
#include "support/manual_clock.h"

namespace allot {
namespace {

constexpr Instant kNow = testing::ManualClock::kStart;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr int64_t kHugeNegative = std::numeric_limits<int64_t>::min();

RawRequest Good() {
  RawRequest raw;
  raw.nodes = 2;
  raw.gpus_per_node = 8;
  raw.models = {"B200", "H200"};
  raw.duration = Days(7);
  return raw;
}

Result<Request> Parse(const RawRequest& raw) {
  return ParseRequest(raw, kNow, DefaultPolicy(), "allocation.request");
}

TEST(ParseRequest, TakesNodesTimesGpus) {
  const auto request = Parse(Good());
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->shape, (Shape{2, 8, 0}));
  EXPECT_EQ(request->models, (std::vector{GpuModel::kB200, GpuModel::kH200}));
  EXPECT_EQ(request->duration, Days(7));
  EXPECT_EQ(CostOn(*request, GpuModel::kH200), GpuSeconds::Of(16, Days(7)));
}

TEST(ParseRequest, TakesGpusInAllOnTheFewestNodes) {
  struct Case {
    int gpus;
    Shape shape;
    const char* text;
  };
  const Case cases[] = {
      {1, {1, 1, 0}, "1 GPU on 1 node"},
      {3, {1, 3, 0}, "3 GPUs on 1 node"},
      {8, {1, 8, 0}, "1 node x 8 GPUs"},
      {12, {1, 8, 4}, "1 node x 8 GPUs + 4 GPUs"},
      {16, {2, 8, 0}, "2 nodes x 8 GPUs"},
      {17, {2, 8, 1}, "2 nodes x 8 GPUs + 1 GPU"},
      {kGpusMax, {2048, 8, 0}, "2,048 nodes x 8 GPUs"},
  };
  for (const Case& c : cases) {
    RawRequest raw = Good();
    raw.nodes.reset();
    raw.gpus_per_node.reset();
    raw.gpus = c.gpus;
    const auto request = Parse(raw);
    ASSERT_TRUE(request.ok()) << c.gpus;
    EXPECT_EQ(request->shape, c.shape) << c.gpus;
    EXPECT_EQ(request->shape.gpus(), c.gpus);
    EXPECT_EQ(Describe(request->shape), c.text);
  }
  EXPECT_EQ(Describe(Shape{2, 4, 0}), "2 nodes x 4 GPUs");
}

TEST(ParseRequest, EveryNumberOfGpusKeepsItsCount) {
  for (int gpus = 1; gpus <= kGpusMax; ++gpus) {
    const Shape shape = ShapeForGpus(gpus);
    ASSERT_EQ(shape.gpus(), gpus);
    ASSERT_EQ(shape.node_count(), (gpus + 7) / 8);
    ASSERT_TRUE(shape.remainder_gpus == 0 || shape.remainder_gpus < shape.gpus_per_node);
  }
}

TEST(ParseRequest, NoModelMeansAny) {
  RawRequest raw = Good();
  raw.models.clear();
  EXPECT_EQ(Parse(raw)->models, (std::vector{GpuModel::kH200, GpuModel::kB200}));
}

TEST(ParseRequest, AStartJustPastIsNow) {
  RawRequest raw = Good();
  raw.earliest_start = kNow - Minutes(1);
  EXPECT_EQ(Parse(raw)->earliest_start, kNow);
  raw.earliest_start = kNow + Days(3);
  EXPECT_EQ(Parse(raw)->earliest_start, kNow + Days(3));
}

TEST(ParseRequest, ADeadlineAtTheEarliestEndIsJustInTime) {
  RawRequest raw = Good();
  raw.deadline = kNow + Days(7);
  EXPECT_EQ(Parse(raw)->deadline, kNow + Days(7));
  raw.earliest_start = kNow + Hours(1);
  EXPECT_EQ(Parse(raw).error().reason, Reason::kDeadlineTooEarly);
}

struct BadField {
  const char* what;
  void (*spoil)(RawRequest&);
  Reason reason;
  const char* field;
  const char* value;
  const char* limit;
};

TEST(ParseRequest, EachBadValueHasItsOwnReasonFieldValueAndLimit) {
  const BadField cases[] = {
      {"no size at all",
       [](RawRequest& r) {
         r.nodes.reset();
         r.gpus_per_node.reset();
       },
       Reason::kFieldRequired, "gpus", "", "1 to 16,384, or nodes and gpus_per_node"},
      {"0 GPUs",
       [](RawRequest& r) {
         r.nodes.reset();
         r.gpus_per_node.reset();
         r.gpus = 0;
       },
       Reason::kGpusOutOfRange, "gpus", "0", "1 to 16,384"},
      {"negative GPUs",
       [](RawRequest& r) {
         r.nodes.reset();
         r.gpus_per_node.reset();
         r.gpus = kHugeNegative;
       },
       Reason::kGpusOutOfRange, "gpus", "-9223372036854775808", "1 to 16,384"},
      {"more GPUs than 32 bits",
       [](RawRequest& r) {
         r.nodes.reset();
         r.gpus_per_node.reset();
         r.gpus = (int64_t{1} << 32) + 1;
       },
       Reason::kGpusOutOfRange, "gpus", "4294967297", "1 to 16,384"},
      {"both sizes", [](RawRequest& r) { r.gpus = 16; }, Reason::kShapeAmbiguous,
       "node_shape.nodes", "2", "none, because gpus is given"},
      {"GPUs in all and a node",
       [](RawRequest& r) {
         r.nodes.reset();
         r.gpus = 16;
       },
       Reason::kShapeAmbiguous, "node_shape.gpus_per_node", "8", "none, because gpus is given"},
      {"no nodes", [](RawRequest& r) { r.nodes.reset(); }, Reason::kFieldRequired,
       "node_shape.nodes", "", "1 to 2,048"},
      {"no GPUs a node", [](RawRequest& r) { r.gpus_per_node.reset(); }, Reason::kFieldRequired,
       "node_shape.gpus_per_node", "", "1 to 8"},
      {"0 nodes", [](RawRequest& r) { r.nodes = 0; }, Reason::kNodesOutOfRange, "node_shape.nodes",
       "0", "1 to 2,048"},
      {"absurd nodes", [](RawRequest& r) { r.nodes = kHuge; }, Reason::kNodesOutOfRange,
       "node_shape.nodes", "9223372036854775807", "1 to 2,048"},
      {"9 GPUs a node", [](RawRequest& r) { r.gpus_per_node = 9; }, Reason::kGpusPerNodeOutOfRange,
       "node_shape.gpus_per_node", "9", "1 to 8"},
      {"0 GPUs a node", [](RawRequest& r) { r.gpus_per_node = 0; }, Reason::kGpusPerNodeOutOfRange,
       "node_shape.gpus_per_node", "0", "1 to 8"},
      {"unknown model", [](RawRequest& r) { r.models[1] = "H100\n"; }, Reason::kGpuModelUnknown,
       "models[1]", "H100\\x0a", "H200 or B200"},
      {"empty model", [](RawRequest& r) { r.models[0] = ""; }, Reason::kGpuModelUnknown,
       "models[0]", "", "H200 or B200"},
      {"repeated model", [](RawRequest& r) { r.models[1] = "B200"; }, Reason::kGpuModelRepeated,
       "models[1]", "B200", "each model once"},
      {"no duration", [](RawRequest& r) { r.duration.reset(); }, Reason::kFieldRequired, "duration",
       "", "1m to 366d"},
      {"0 seconds", [](RawRequest& r) { r.duration = Seconds{0}; }, Reason::kDurationOutOfRange,
       "duration", "0s", "1m to 366d"},
      {"negative duration", [](RawRequest& r) { r.duration = Seconds{-60}; },
       Reason::kDurationOutOfRange, "duration", "-1m", "1m to 366d"},
      {"10 years", [](RawRequest& r) { r.duration = Days(3650); }, Reason::kDurationOutOfRange,
       "duration", "3650d", "1m to 366d"},
      {"overflowing duration", [](RawRequest& r) { r.duration = Seconds{kHuge}; },
       Reason::kDurationOutOfRange, "duration", "106751991167300d15h30m7s", "1m to 366d"},
      {"a negative wait for a leaf", [](RawRequest& r) { r.same_leaf_wait = Seconds{-1}; },
       Reason::kDurationOutOfRange, "same_leaf_wait", "-1s", "0s to 1098d"},
      {"four years for a leaf", [](RawRequest& r) { r.same_leaf_wait = Days(4 * 366); },
       Reason::kDurationOutOfRange, "same_leaf_wait", "1464d", "0s to 1098d"},
      {"a start in the past", [](RawRequest& r) { r.earliest_start = kNow - Seconds{61}; },
       Reason::kEarliestStartOutOfRange, "earliest_start", "2026-02-28T23:58:59Z",
       "2026-03-01T00:00:00Z (now) to 2029-03-03T00:00:00Z"},
      {"a start in four years", [](RawRequest& r) { r.earliest_start = kNow + Days(4 * 366); },
       Reason::kEarliestStartOutOfRange, "earliest_start", "2030-03-04T00:00:00Z",
       "2026-03-01T00:00:00Z (now) to 2029-03-03T00:00:00Z"},
      {"an overflowing start", [](RawRequest& r) { r.earliest_start = Instant{kHuge}; },
       Reason::kEarliestStartOutOfRange, "earliest_start", "294247-01-10T04:00:54.775807Z",
       "2026-03-01T00:00:00Z (now) to 2029-03-03T00:00:00Z"},
      {"a deadline before the earliest end", [](RawRequest& r) { r.deadline = kNow + Days(6); },
       Reason::kDeadlineTooEarly, "deadline", "2026-03-07T00:00:00Z",
       "2026-03-08T00:00:00Z or later, the earliest possible end"},
      {"a deadline in the past", [](RawRequest& r) { r.deadline = Instant{0}; },
       Reason::kDeadlineTooEarly, "deadline", "1970-01-01T00:00:00Z",
       "2026-03-08T00:00:00Z or later, the earliest possible end"},
      {"a deadline at the end of time", [](RawRequest& r) { r.deadline = kEndOfTime; },
       Reason::kTimeOutOfRange, "deadline", "9999-12-31T23:59:59Z",
       "2029-03-03T00:00:00Z or earlier"},
  };
  for (const BadField& c : cases) {
    RawRequest raw = Good();
    c.spoil(raw);
    const auto request = Parse(raw);
    ASSERT_FALSE(request.ok()) << c.what;
    EXPECT_EQ(Name(request.error().reason), Name(c.reason)) << c.what;
    EXPECT_EQ(request.error().field, std::string("allocation.request.") + c.field) << c.what;
    EXPECT_EQ(request.error().value, c.value) << c.what;
    EXPECT_EQ(request.error().limit, c.limit) << c.what;
  }
}

TEST(ParseRequest, ReportsTheFirstErrorInTheOrderOfTheFields) {
  RawRequest raw;
  raw.nodes = 0;
  raw.gpus_per_node = 9;
  raw.models = {"H100"};
  EXPECT_EQ(Parse(raw).error().reason, Reason::kNodesOutOfRange);
  raw.nodes = 1;
  EXPECT_EQ(Parse(raw).error().reason, Reason::kGpusPerNodeOutOfRange);
  raw.gpus_per_node = 1;
  EXPECT_EQ(Parse(raw).error().reason, Reason::kGpuModelUnknown);
  raw.models = {"H200"};
  EXPECT_EQ(Parse(raw).error().field, "allocation.request.duration");
}

TEST(ParseRequest, SurvivesAnyNumbers) {
  constexpr int64_t kExtremes[] = {kHugeNegative, -1, 0, 1, 8, kHuge};
  for (const int64_t a : kExtremes) {
    for (const int64_t b : kExtremes) {
      for (const int64_t c : kExtremes) {
        RawRequest raw = Good();
        raw.duration = Seconds{a};
        raw.earliest_start = Instant{b};
        raw.deadline = Instant{c};
        EXPECT_FALSE(Parse(raw).ok());
      }
    }
  }
}

TEST(ParseRequest, TakesOfTheOtherModelWhatDoesTheSameWork) {
  struct Case {
    std::vector<std::string> models;
    int gpus;
    Shape nodes;
    ExchangedShape exchanged;
    const char* why;
  };
  constexpr GpuModel kH200 = GpuModel::kH200;
  constexpr GpuModel kB200 = GpuModel::kB200;
  // A B200 is worth 2.25 H200.
  const Case cases[] = {
      {{"H200", "B200"}, 16, {}, {kB200, {1, 8, 0}}, "16 / 2.25, rounded up"},
      {{}, 18, {}, {kB200, {1, 8, 0}}, "any: H200 first; 18 / 2.25 exactly"},
      {{"H200", "B200"}, 19, {}, {kB200, {1, 8, 1}}, "a GPU more, not a node"},
      {{"B200", "H200"}, 8, {}, {kH200, {2, 8, 2}}, "8 x 2.25"},
      {{"H200", "B200"}, 1, {}, {kB200, {1, 1, 0}}, "never less than one"},
      {{"H200", "B200"}, 0, {4, 8, 0}, {kB200, {2, 8, 0}}, "nodes stay whole"},
      {{"H200", "B200"}, 0, {2, 4, 0}, {kB200, {1, 4, 0}}, "and of the same size"},
      {{"B200", "H200"}, 0, {2, 8, 0}, {kH200, {5, 8, 0}}, "2 x 2.25"},
  };
  Policy policy = DefaultPolicy();
  policy.b200_worth_permille = 2250;
  for (const Case& c : cases) {
    RawRequest raw;
    raw.models = c.models;
    if (c.gpus > 0) raw.gpus = c.gpus;
    if (c.nodes.nodes > 0) {
      raw.nodes = c.nodes.nodes;
      raw.gpus_per_node = c.nodes.gpus_per_node;
    }
    raw.duration = Hours(1);
    raw.exchange = true;
    const auto request = ParseRequest(raw, kNow, policy, "r");
    ASSERT_TRUE(request.ok()) << c.why;
    EXPECT_EQ(request->exchanged, c.exchanged) << c.why;
    EXPECT_EQ(request->ShapeOn(c.exchanged.model), c.exchanged.shape) << c.why;
    EXPECT_EQ(request->ShapeOn(request->models[0]), request->shape) << c.why;
  }
}

TEST(ParseRequest, ExchangesOnlyBetweenTwoModels) {
  RawRequest raw = Good();
  raw.exchange = true;
  raw.models = {"B200"};
  const Error error = Parse(raw).error();
  EXPECT_EQ(error.reason, Reason::kFieldNotAllowed);
  EXPECT_EQ(error.field, "allocation.request.exchange");
  raw.models = {"B200", "H200"};
  raw.nodes = 2048;
  EXPECT_EQ(Parse(raw).error().reason, Reason::kNodesOutOfRange) << "4,096 nodes of the other";
}

TEST(ParseRequest, GrowsInStepsOfOneNode) {
  struct Case {
    int gpus;
    int gpus_max;
    Shape nodes;
    int nodes_max;
    std::vector<int> steps;
  };
  const Case cases[] = {
      {4, 12, {}, 0, {4, 4}},  {4, 10, {}, 0, {4, 2}},       {8, 12, {}, 0, {4}},
      {12, 24, {}, 0, {8, 4}}, {0, 0, {2, 8, 0}, 4, {8, 8}}, {0, 0, {2, 4, 0}, 3, {4}},
  };
  for (const Case& c : cases) {
    RawRequest raw;
    if (c.gpus > 0) {
      raw.gpus = c.gpus;
      raw.gpus_max = c.gpus_max;
    } else {
      raw.nodes = c.nodes.nodes;
      raw.gpus_per_node = c.nodes.gpus_per_node;
      raw.nodes_max = c.nodes_max;
    }
    raw.duration = Hours(1);
    const auto request = Parse(raw);
    ASSERT_TRUE(request.ok());
    std::vector<int> steps;
    for (const Shape& step : GrowthSteps(*request)) {
      EXPECT_EQ(step.node_count(), 1);
      steps.push_back(step.gpus());
    }
    EXPECT_EQ(steps, c.steps);
  }
  EXPECT_TRUE(GrowthSteps(*Parse(Good())).empty());
}

TEST(ParseRequest, RefusesGrowthThatIsNone) {
  struct Case {
    std::optional<int64_t> gpus_max;
    std::optional<int64_t> nodes_max;
    Reason reason;
    const char* field;
  };
  // Of 2 nodes x 8.
  const Case cases[] = {
      {std::nullopt, 2, Reason::kNodesOutOfRange, "nodes_max"},
      {std::nullopt, kHugeNegative, Reason::kNodesOutOfRange, "nodes_max"},
      {std::nullopt, kHuge, Reason::kNodesOutOfRange, "nodes_max"},
      {std::nullopt, 103, Reason::kNodesOutOfRange, "nodes_max"},
      {32, std::nullopt, Reason::kFieldNotAllowed, "gpus_max"},
  };
  for (const Case& c : cases) {
    RawRequest raw = Good();
    raw.gpus_max = c.gpus_max;
    raw.nodes_max = c.nodes_max;
    const auto request = Parse(raw);
    ASSERT_FALSE(request.ok());
    EXPECT_EQ(request.error().reason, c.reason);
    EXPECT_EQ(request.error().field, std::string("allocation.request.") + c.field);
  }
  RawRequest raw = Good();
  raw.nodes_max = 102;
  EXPECT_TRUE(Parse(raw).ok());
  raw.exchange = true;
  EXPECT_EQ(Parse(raw).error().reason, Reason::kFieldNotAllowed);
}

}  // namespace
}  // namespace allot
