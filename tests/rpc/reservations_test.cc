#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class ReservationsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddPool();
    AddTenant("snu");
  }
  std::string At(int64_t hours) const {
    return "{ seconds: " + std::to_string(clock_.Now().seconds() + hours * 3600) + " }";
  }
  std::string Asked(const std::string& rest) const {
    return "start_time " + At(1) + " end_time " + At(3) + " " + rest;
  }
  grpc::Status Create(const std::string& reservation, const std::string& rest,
                      v1::Reservation* created = nullptr) {
    return Call<v1::PoolService>(
        operator_key_, &Pool::CreateReservation,
        "parent: 'providers/prov/clusters/c' reservation { " + reservation + " } " + rest, created);
  }
};

constexpr const char* kNode = "nodes: 'providers/prov/clusters/c/nodes/n1'";

TEST_F(ReservationsTest, FromTheRequestToTheEnd) {
  v1::Reservation made;
  ASSERT_EQ(ReasonOf(Create(Asked("project: 'institutes/snu/projects/p' display_name: 'Launch' "
                                  "repeat_every { seconds: 604800 } occurrences: 4"),
                            "node_count: 2 reservation_id: 'launch' reason: 'demo'", &made)),
            "OK");
  EXPECT_EQ(made.name(), "providers/prov/clusters/c/reservations/launch");
  EXPECT_EQ(made.node_count(), 2);
  EXPECT_EQ(made.nodes(1), "providers/prov/clusters/c/nodes/n2");
  EXPECT_EQ(made.occurrences(), 4);
  v1::Reservation found;
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::GetReservation,
                                           "name: '" + made.name() + "'", &found)),
            "OK");
  EXPECT_EQ(found.SerializeAsString(), made.SerializeAsString());
  v1::ListReservationsResponse listed;
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::ListReservations,
                                           "parent: 'providers/-/clusters/-'", &listed)),
            "OK");
  EXPECT_EQ(listed.reservations_size(), 1);
  EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CancelReservation,
                                           "name: '" + made.name() + "' reason: 'over' etag: 'x'")),
            "ETAG_STALE");
  v1::Reservation ended;
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(
                operator_key_, &Pool::CancelReservation,
                "name: '" + made.name() + "' reason: 'over' etag: '" + made.etag() + "'", &ended)),
            "OK");
  EXPECT_TRUE(ended.has_cancel_time());
  v1::ListAuditEntriesResponse audit;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                               "resource: '" + made.name() + "'", &audit)),
            "OK");
  ASSERT_EQ(audit.audit_entries_size(), 2);
  EXPECT_EQ(audit.audit_entries(0).action(), "reservation.cancel");
}

TEST_F(ReservationsTest, WhatIsWrongIsRefusedByTheField) {
  const struct {
    std::string reservation;
    std::string rest;
    const char* reason;
    const char* field;
  } kRows[] = {
      {Asked(kNode), "", "FIELD_REQUIRED", "reason"},
      {Asked(""), "reason: 'x'", "FIELD_REQUIRED", "node_count"},
      {Asked(kNode), "reason: 'x' node_count: 1", "SHAPE_AMBIGUOUS", "node_count"},
      {Asked(""), "reason: 'x' node_count: -1", "NODES_OUT_OF_RANGE", "node_count"},
      {Asked(""), "reason: 'x' node_count: 5", "NODES_OUT_OF_RANGE", "node_count"},
      {Asked(std::string(kNode) + " " + kNode), "reason: 'x'", "VALUE_REPEATED",
       "reservation.nodes"},
      {Asked("nodes: 'n1'"), "reason: 'x'", "RESOURCE_NAME_INVALID", "reservation.nodes[0]"},
      {Asked("nodes: 'providers/prov/clusters/d/nodes/n1'"), "reason: 'x'", "RESOURCE_NAME_INVALID",
       "reservation.nodes[0]"},
      {Asked(std::string(kNode) + " project: 'snu/p'"), "reason: 'x'", "RESOURCE_NAME_INVALID",
       "reservation.project"},
      {Asked(kNode), "reason: 'x' reservation_id: 'R 1'", "NAME_INVALID", "reservation_id"},
      {std::string(kNode) + " start_time " + At(1), "reason: 'x'", "FIELD_REQUIRED",
       "reservation.end_time"},
      {std::string(kNode) + " end_time " + At(1), "reason: 'x'", "FIELD_REQUIRED",
       "reservation.start_time"},
      {std::string(kNode) + " start_time " + At(3) + " end_time " + At(1), "reason: 'x'",
       "TIME_OUT_OF_RANGE", "reservation.end_time"},
      {Asked(std::string(kNode) + " occurrences: -1"), "reason: 'x'", "TIME_OUT_OF_RANGE",
       "reservation.occurrences"},
      {Asked(std::string(kNode) + " occurrences: 2 repeat_every { seconds: 1 nanos: 5 }"),
       "reason: 'x'", "DURATION_OUT_OF_RANGE", "reservation.repeat_every"},
  };
  for (const auto& row : kRows) {
    const auto status = Create(row.reservation, row.rest);
    EXPECT_EQ(ReasonOf(status), row.reason) << row.reservation << row.rest;
    EXPECT_EQ(InfoOf(status).metadata().at("field"), row.field) << row.reservation << row.rest;
  }
  for (const char* name : {"", "naver-a/x", "providers/prov/clusters/c/nodes/n1"}) {
    EXPECT_NE(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::GetReservation,
                                             "name: '" + std::string(name) + "'")),
              "OK");
  }
  EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::ListReservations,
                                           "parent: 'providers/-/clusters/c'")),
            "RESOURCE_NAME_INVALID");
}

TEST_F(ReservationsTest, AClusterIsChangedByMask) {
  const auto update = [&](const std::string& cluster, const std::string& mask,
                          v1::Cluster* changed = nullptr) {
    return Call<v1::PoolService>(operator_key_, &Pool::UpdateCluster,
                                 "cluster { name: 'providers/prov/clusters/c' " + cluster +
                                     " } update_mask { " + mask + " } reason: 'contract'",
                                 changed);
  };
  v1::Cluster changed;
  ASSERT_EQ(ReasonOf(update("join_time " + At(48) + " display_name: 'ignored'",
                            "paths: 'join_time' paths: 'leave_time'", &changed)),
            "OK");
  EXPECT_EQ(changed.join_time().seconds(), clock_.Now().seconds() + 48 * 3600);
  EXPECT_EQ(changed.display_name(), "");
  ASSERT_EQ(ReasonOf(update("", "paths: 'join_time'", &changed)), "OK");
  EXPECT_FALSE(changed.has_join_time());
  EXPECT_EQ(ReasonOf(update("", "paths: 'gpu_model'")), "FIELD_IMMUTABLE");
  EXPECT_EQ(ReasonOf(update("", "paths: 'colour'")), "FIELD_MASK_INVALID");
  EXPECT_EQ(ReasonOf(update("", "paths: 'programmes'")), "FIELD_REQUIRED");
  EXPECT_EQ(ReasonOf(update("join_time { seconds: -5 }", "paths: 'join_time'")),
            "TIME_OUT_OF_RANGE");
}

}  // namespace
}  // namespace allot::rpc
