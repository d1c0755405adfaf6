#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace allot {

/// An identifier that does not mix with identifiers of another kind.
/// Ordered bytewise, so a sort that ends in an id is total and the same on every machine.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  explicit Id(std::string_view value) : value_(value) {}
  explicit Id(const char* value) : value_(value) {}

  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const Id&, const Id&) = default;
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string value_;
};

using ProviderId = Id<struct ProviderTag>;
/// Unique in the nation, not only within its provider ("naver-a").
using ClusterId = Id<struct ClusterTag>;
/// "<cluster>/<node>": providers name their nodes alike, so the cluster is part of the id.
using NodeId = Id<struct NodeTag>;
/// A programme joins projects to the clusters that serve them ("call-2026-1", "national").
using ProgrammeId = Id<struct ProgrammeTag>;
using InstituteId = Id<struct InstituteTag>;
/// "<institute>/<project>": an institute's project names reveal nothing about another's.
using ProjectId = Id<struct ProjectTag>;
/// "<institute>/<project>/<allocation>"; the last part is the institute's choice or minted.
using AllocationId = Id<struct AllocationTag>;
/// Minted, opaque, unique in the nation.
using OrderId = Id<struct OrderTag>;
/// An operator's booking of nodes ahead of time; unique in the nation.
using ReservationId = Id<struct ReservationTag>;
/// A policy as it was published ("spring-2027").
using PolicyId = Id<struct PolicyTag>;
using KeyId = Id<struct KeyTag>;
/// A call that waits for a second person; minted.
using ProposalId = Id<struct ProposalTag>;
/// "m-" and a minted part: no key's id has a dash.
using MemberId = Id<struct MemberTag>;

// The parts of composite ids. Requires an id of the form above.
inline InstituteId InstituteOf(const ProjectId& id) {
  return InstituteId(id.str().substr(0, id.str().find('/')));
}
inline ProjectId ProjectOf(const AllocationId& id) {
  return ProjectId(id.str().substr(0, id.str().rfind('/')));
}
inline InstituteId InstituteOf(const AllocationId& id) { return InstituteOf(ProjectOf(id)); }
inline ClusterId ClusterOf(const NodeId& id) {
  return ClusterId(id.str().substr(0, id.str().find('/')));
}

}  // namespace allot

template <class Tag>
struct std::hash<allot::Id<Tag>> {
  std::size_t operator()(const allot::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
