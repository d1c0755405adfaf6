#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allot/control/submit.h"

namespace allot::control {

/// Where a request stands in its submission, for the fields of errors.
inline const std::string kRequestPath = "allocation.request";

/// Admits the submissions of several calls within one transaction, with a fixed number of
/// statements however many they are: looks everything up, decides in memory, and writes what was
/// admitted.
class Admission {
 public:
  /// Requires: all outlive it.
  Admission(const Context& context, store::Tx& tx,
            const std::vector<const PreparedSubmissions*>& calls)
      : context_(context), tx_(tx), calls_(calls), answers_(calls.size()) {}

  /// The calls' answers, side by side with them. An error is one of the store: nothing was done.
  Result<std::vector<Submitted>> Run();

 private:
  bool IsOpen(std::size_t i) const { return !answers_[i]; }
  Status LockProjects();
  /// Answers those that were done before.
  Status AnswerEarlier();
  Submitted Answered(const PreparedSubmissions& call, const store::RequestRecord& record);
  /// Looks up all that the decisions depend on.
  Status LookUp();
  /// Answers it: as one of this transaction whose request id it has and that was admitted, or on
  /// its own.
  void Decide(std::size_t i);
  Result<std::vector<Allocation>> Admit(const PreparedSubmissions& call);
  Result<Allocation> AdmitOne(const PreparedSubmissions& call, std::size_t i);
  Status CheckPredecessor(const Project& project, const Request& request,
                          const Submission& submission) const;
  /// It counts from now on, for those after it.
  Status Enter(const Allocation& allocation, const Submission& submission);
  Status Write();

  const Context& context_;
  store::Tx& tx_;
  const std::vector<const PreparedSubmissions*>& calls_;
  std::vector<std::optional<Submitted>> answers_;
  /// Those with a request id, by it.
  std::map<store::RequestName, std::vector<std::size_t>> named_;
  std::vector<std::size_t> admitted_;
  std::map<store::RequestName, std::size_t> admitted_as_;

  std::map<ProjectId, Project> projects_;
  std::map<ProjectId, store::Budget> budgets_;
  std::map<ProgrammeId, LargestClusterByModel> largest_;
  /// What exists, and what was admitted in this transaction.
  std::map<AllocationId, Allocation> known_;
  /// What was admitted, with its growths; the rows to write.
  std::vector<Allocation> entered_;
};

}  // namespace allot::control
