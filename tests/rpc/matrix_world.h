#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <pqxx/pqxx>

#include "rpc/any_call.h"
#include "rpc/api_fixture.h"
#include "rpc/method_rows.h"
#include "support/statement_tap.h"

namespace allot::rpc {

/// Two institutes, "alder" and "birch", each with the project "projx" on machines of its own
/// provider, "pinex" and "teakx": one allocation that runs, one that waits, one whose order is
/// open, a reservation, and a key of every role that belongs to alder or pinex. "birch" stands in
/// no name and no text that alder has any business with.
class MatrixWorld : public Api {
 protected:
  static constexpr char kSecret[] = "birch";

  void SetUp() override;
  std::string StoreUrl() override;

  /// Whose a resource is, seen by alder and pinex. What stands in one place has names of equal
  /// length.
  enum class Place {
    kOwn,
    kForeign,
    kOwnAbsent,
    kForeignAbsent,
    kNowhere,
    kDisguised,  ///< what is another provider's, as if it were of the own
    kDisguisedAbsent,
  };
  static constexpr Place kPlaces[] = {
      Place::kOwn,     Place::kForeign,   Place::kOwnAbsent,      Place::kForeignAbsent,
      Place::kNowhere, Place::kDisguised, Place::kDisguisedAbsent};
  static const char* NameOf(Place place);

  /// The row's request about what is in that place.
  std::string TextFor(const MethodRow& row, Place place) const;
  std::string BytesFor(const MethodRow& row, const google::protobuf::MethodDescriptor& method,
                       Place place) const;
  /// A call by the holder of a key; a watch is read up to the present.
  Answer Ask(const std::string& key, const google::protobuf::MethodDescriptor& method,
             const std::string& bytes);
  /// `text` with every name that differs by place replaced by what it is the name of.
  std::string WithoutNames(std::string text) const;
  /// A digest of every row of every table, by table.
  std::map<std::string, std::string> Digests();
  /// Whether an entry of the audit says so.
  bool IsAudited(const std::string& words);

  std::map<Role, std::string> keys_;
  std::unique_ptr<testing::StatementTap> tap_;

 private:
  void AddMachines(const std::string& provider, const std::string& cluster,
                   const std::string& model, std::string& key);
  void AddWork(const std::string& institute, const std::string& provider,
               const std::string& cluster, const std::string& model, const std::string& agent,
               std::string& order);
  void AddPolicy();
  void AddProposal();
  Answer Watch(const std::string& key, const std::string& bytes);
  std::map<std::string, std::string> Words(Place place) const;

  std::unique_ptr<pqxx::connection> database_connection_;
  std::string own_order_;
  std::string foreign_order_;
  std::string settings_;
  std::string key_name_;
  std::string member_name_;
};

}  // namespace allot::rpc
