#pragma once

#include <span>
#include <string_view>

#include "allot/model/principal.h"

namespace allot::rpc {

/// Whose the resource is that a method is about.
enum class Whose {
  kNobodys,  ///< of no tenant and no provider: the same for whoever may call at all
  kInstitutes,
  kProviders,
  kReservations,  ///< of the project it is for and of the cluster's provider
};

/// What every method needs and does, for the tests that go over all of them. A method without a row
/// fails them, and so does a row without a method.
struct MethodRow {
  /// "AllocationService/GetAllocation".
  std::string_view method;
  Permission permission;
  Whose whose = Whose::kNobodys;
  /// A request that is sound, in protobuf's text form; $WORDS are put in by MatrixWorld.
  std::string_view request;
  /// Asks for all that there is: what is another's, or nowhere, is left out rather than not found.
  bool lists = false;
  /// Is done, although the test only asks: there is no validate_only.
  bool acts = false;
  /// The answer of who may.
  std::string_view answer = "OK";
};

std::span<const MethodRow> MethodRows();

}  // namespace allot::rpc
