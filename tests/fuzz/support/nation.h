#pragma once

#include <google/protobuf/descriptor.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/control/planner.h"
#include "allot/control/scheduler_loop.h"
#include "allot/control/shared_commit.h"
#include "allot/store/memory.h"
#include "rpc/handlers.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"

namespace allot::fuzz {

/// A small nation in memory, behind the handlers of every method of the API: provider "pinex" with
/// the cluster "pinec" of four nodes, institutes "alder" and "birch" with a project "projx" each,
/// and work of alder's that runs ("runx1"), is handed over ("ordrx") and waits ("waitx"). Equal
/// calls have equal answers.
class Nation {
 public:
  Nation();

  /// As a server answers it: the bytes of the response, or why not.
  Result<std::string> Call(Role role, const google::protobuf::MethodDescriptor& method,
                           std::string_view bytes);

  struct Mark {
    Revision revision = 0;
    int64_t audited = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  /// Moves with every change.
  Mark mark() const;

  /// What the $WORDS in tests/rpc/method_rows.cc stand for here.
  const std::map<std::string, std::string>& words() const { return words_; }

 private:
  void AddMachines();
  void AddTenant(const std::string& institute);
  void AddWork();
  void AddTables();
  void AddWords();
  v1::Policy PolicyInForce();

  testing::ManualClock clock_;
  testing::CountingIdSource ids_;
  Policy policy_;
  control::PolicyBook policies_{policy_};
  std::unique_ptr<store::Store> store_;
  control::Context context_;
  control::Planner planner_{context_};
  control::SchedulerLoop loop_;
  rpc::ClusterNames cluster_names_{context_};
  control::SharedCommit shared_commit_{context_, {}};
  std::map<const google::protobuf::ServiceDescriptor*, rpc::ServiceMethods> services_;
  std::string order_;
  std::map<std::string, std::string> words_;
};

}  // namespace allot::fuzz
