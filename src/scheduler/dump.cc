#include "allot/scheduler/dump.h"

#include <sstream>

namespace allot::scheduler {
namespace {

void Put(std::ostringstream& out, const std::vector<PlacedNode>& nodes) {
  out << " nodes=";
  for (const PlacedNode& placed : nodes) out << placed.node << ':' << int{placed.gpus} << ',';
}

void Put(std::ostringstream& out, const Request& request) {
  out << " shape=" << request.shape.nodes << 'x' << request.shape.gpus_per_node << '+'
      << request.shape.remainder_gpus << " models=";
  for (const GpuModel model : request.models) out << Name(model) << ',';
  out << " duration_s=" << request.duration.count << " preemptible=" << request.preemptible;
  if (request.earliest_start) out << " earliest_start=" << request.earliest_start->micros;
  if (request.deadline) out << " deadline=" << request.deadline->micros;
}

void Put(std::ostringstream& out, const Snapshot& snapshot) {
  out << "snapshot now=" << snapshot.now.micros << " revision=" << snapshot.revision
      << " digest=" << Digest(snapshot) << '\n';
  for (const SnapshotCluster& cluster : snapshot.clusters) {
    out << "cluster " << cluster.id.str() << " model=" << Name(cluster.model) << " programmes=";
    for (const ProgrammeId& programme : cluster.programmes) out << programme.str() << ',';
    out << '\n';
  }
  for (const SnapshotNode& node : snapshot.nodes) {
    out << "node " << node.id.str() << " cluster=" << node.cluster
        << " schedulable=" << node.schedulable << " health=" << Name(node.health)
        << " draining=" << node.draining << '\n';
  }
  for (const SnapshotProject& project : snapshot.projects) {
    out << "project " << project.id.str() << " programme=" << project.programme.str()
        << " merit=" << project.merit << " open=" << project.open;
    for (const GpuModel model : kGpuModels) {
      out << ' ' << Name(model) << '=' << At(project.concurrent_gpus, model);
    }
    out << " gpu_seconds_left=" << project.gpu_time_left.count();
    out << " decayed=" << project.usage.value << " decayed_as_of=" << project.usage.as_of.micros
        << '\n';
  }
  for (const SnapshotClaim& claim : snapshot.claims) {
    out << "claim " << claim.allocation.str() << " project=" << claim.project
        << " node=" << claim.node << " gpus=" << int{claim.gpus} << " start=" << claim.start.micros
        << " until=" << claim.until.micros << " counts_against_quota=" << claim.counts_against_quota
        << '\n';
  }
  for (const SnapshotPending& pending : snapshot.pending) {
    out << "pending " << pending.id.str() << " project=" << pending.project
        << " create_time=" << pending.create_time.micros << " requeued=" << pending.requeued;
    Put(out, pending.request);
    if (pending.planned_start) out << " planned_start=" << pending.planned_start->micros;
    if (pending.promise) {
      out << " promised_start=" << pending.promise->window.start().micros;
      Put(out, pending.promise->nodes);
    }
    out << '\n';
  }
}

void Put(std::ostringstream& out, const Plan& plan) {
  for (const Placement& placement : plan.placements) {
    out << "placed pending=" << placement.pending << " model=" << Name(placement.model)
        << " cluster=" << placement.cluster << " start=" << placement.window.start().micros
        << " end=" << placement.window.end().micros << " promised=" << placement.promised;
    Put(out, placement.nodes);
    out << '\n';
  }
  for (const Slip& slip : plan.slips) {
    out << "slipped pending=" << slip.pending << " promised=" << slip.promised.micros
        << " cause=" << Name(slip.cause) << '\n';
  }
  for (const Deferral& deferral : plan.deferrals) {
    out << "deferred pending=" << deferral.pending << " reason=" << Name(deferral.reason) << ' '
        << deferral.message << '\n';
  }
  out << "order";
  for (const int pending : plan.order) out << ' ' << pending;
  out << '\n';
}

}  // namespace

std::string Dump(const Snapshot& snapshot, const Plan& plan) {
  std::ostringstream out;
  Put(out, snapshot);
  Put(out, plan);
  return out.str();
}

}  // namespace allot::scheduler
