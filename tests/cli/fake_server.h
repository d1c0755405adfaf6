#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/support/status.h>

#include "allot/base/result.h"
#include "allot/v1/allocation_service.pb.h"
#include "allot/v1/member_service.pb.h"
#include "allot/v1/operator_service.pb.h"
#include "allot/v1/pool_service.pb.h"
#include "allot/v1/tenant.pb.h"

namespace allot::cli::testing {

/// A server in this process, on loopback, that holds what it is told and can be made to fail:
/// enough to see what a command sends and what it makes of the answer. It judges nothing.
class FakeServer {
 public:
  FakeServer();
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  static constexpr const char* kKey = "allot_testkey_secret";

  /// One call as it arrived.
  struct Seen {
    std::string method;
    std::string authorization;
    std::string request_id;
    bool has_deadline = false;
  };
  std::vector<Seen> seen() const;
  std::vector<Seen> seen(const std::string& method) const;

  /// The next `times` calls of a method are refused.
  void FailNext(const std::string& method, const Error& error, int times = 1);
  /// They are answered with a status as it is.
  void AnswerNext(const std::string& method, const grpc::Status& status, int times);
  /// The same without details, as a connection fails.
  void BreakNext(const std::string& method, int times);

  /// Runs as a call is refused.
  std::function<void()> on_refusal;

  /// What it holds, by full name. Not while a command runs.
  struct State {
    std::map<std::string, v1::Provider> providers;
    std::map<std::string, v1::Cluster> clusters;
    std::map<std::string, v1::Institute> institutes;
    std::map<std::string, v1::Project> projects;
    std::map<std::string, v1::Quota> quotas;
    std::map<std::string, v1::Allocation> allocations;
    /// Their names, in the order in which they were made.
    std::vector<std::string> allocations_made;
    std::map<std::string, v1::Reservation> reservations;
    std::vector<v1::CreateReservationRequest> reservation_requests;
    std::vector<v1::UpdateClusterRequest> cluster_updates;
    /// In the way of whatever is only validated.
    v1::BookingConflict conflict;
    /// What an allocation that is only validated would get.
    v1::Allocation foretold;
    v1::GetCapacityResponse capacity;
    v1::ExplainAllocationResponse explanation;
    std::vector<std::string> merit_reasons;
    /// What every list of projects says comes next.
    std::string project_page_token;
    v1::WhoAmIResponse caller;
    /// The audit, page by page; the last one again and again.
    std::vector<v1::ReadAuditChainResponse> audit_pages;
    std::vector<v1::CreateApiKeyRequest> key_requests;
    /// Projects whose creation is refused, by name: unlike FailNext's, the same one in any order.
    std::map<std::string, Error> refused_projects;
  };
  State state;

  /// What the watches send, one entry a watch: the messages, in order; then the watch breaks off.
  /// When they run out a watch stays silent until it is cancelled.
  std::vector<std::vector<v1::WatchAllocationsResponse>> watches;
  std::vector<v1::WatchAllocationsRequest> watch_requests;
  /// Runs when a watch arrives.
  std::function<void()> on_watch;

 private:
  class Services;
  int port_ = 0;
  std::unique_ptr<Services> services_;
};

}  // namespace allot::cli::testing
