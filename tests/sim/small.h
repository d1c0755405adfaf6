#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "allot/sim/measures.h"
#include "allot/sim/simulate.h"

namespace allot::sim {

/// One H200 cluster and two projects, to which jobs are added by hand; a pass every minute.
class Small {
 public:
  explicit Small(int nodes) {
    workload_.name = "small";
    workload_.pool.clusters.push_back({ClusterId("c"), GpuModel::kH200, {ProgrammeId("p")}});
    for (int i = 0; i < nodes; ++i) {
      scheduler::SnapshotNode node;
      node.id = NodeId("c/n" + std::to_string(i));
      workload_.pool.nodes.push_back(node);
    }
    for (const char* id : {"i/a", "i/b"}) {
      scheduler::SnapshotProject project;
      project.id = ProjectId(id);
      project.programme = ProgrammeId("p");
      project.merit = 500;
      project.concurrent_gpus.fill(nodes * kGpusPerNode);
      workload_.pool.projects.push_back(project);
    }
    workload_.end = workload_.begin + Hours(8);
    workload_.pass_every = Minutes(1);
  }

  Small& Add(int64_t minute, Shape shape, Seconds limit, Seconds run, int project = 0) {
    Job job;
    job.project = project;
    job.submit = workload_.begin + Minutes(minute);
    job.request.shape = shape;
    job.request.models = {GpuModel::kH200};
    job.request.duration = limit;
    job.run = run;
    workload_.jobs.push_back(job);
    return *this;
  }

  /// Minutes from the beginning to each job's start.
  std::vector<int64_t> Starts(Discipline discipline) {
    outcome_ = Simulate(workload_, {.discipline = discipline, .policy = Policy()});
    EXPECT_EQ(outcome_.violations, std::vector<std::string>{});
    std::vector<int64_t> starts;
    for (const JobOutcome& job : outcome_.jobs) {
      starts.push_back(Between(workload_.begin, job.start).count / 60);
    }
    return starts;
  }

  Workload& workload() { return workload_; }
  const Workload& workload() const { return workload_; }
  const Outcome& outcome() const { return outcome_; }
  Measures measures() const { return Measure(workload_, outcome_); }

 private:
  Workload workload_;
  Outcome outcome_;
};

}  // namespace allot::sim
