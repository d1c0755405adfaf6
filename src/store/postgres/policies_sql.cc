#include <nlohmann/json.hpp>

#include "allot/model/policy_settings.h"
#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

using Json = nlohmann::json;

const std::string kSelectPolicy = std::string("SELECT ") + kPolicyColumns + " FROM policies";
const Statement kFindPolicy{"find_policy", kSelectPolicy + " WHERE id = $1"};
const Statement kLockPolicies{"lock_policies", "SELECT pg_advisory_xact_lock(2, 0)"};
const Statement kLivePolicies{"live_policies", kSelectPolicy +
                                                   " WHERE withdraw_time IS NULL"
                                                   " ORDER BY effective_time"};
const Statement kInsertPolicy{
    "insert_policy",
    "INSERT INTO policies (id, settings, effective_time, create_time, reason, withdraw_time,"
    " withdraw_reason) VALUES ($1, $2::jsonb, instant($3), instant($4), $5, NULL, '')"
    " ON CONFLICT DO NOTHING"};
// The first withdrawal stands.
const Statement kWithdrawPolicy{
    "withdraw_policy",
    "UPDATE policies SET withdraw_time = instant($2), withdraw_reason = $3"
    " WHERE id = $1 AND withdraw_time IS NULL"};

std::string FormatSettings(const Policy& policy) {
  Json json;
  for (const PolicySetting& setting : PolicySettings()) {
    json[std::string(setting.name)] = Get(policy, setting);
  }
  json["node_loss"] = Name(policy.node_loss);
  json["programmes"] = Json::object();
  for (const ProgrammeCaps& caps : policy.programmes) {
    Json& row = json["programmes"][caps.programme.str()];
    for (const GpuModel model : kGpuModels) {
      row["gpus_max"][std::string(Name(model))] = At(caps.gpus_max, model);
    }
    row["duration_max"] = caps.duration_max.count;
  }
  return json.dump();
}

/// Unknown to the release before.
constexpr std::string_view kNewSetting = "audit_retention";

/// Everything as it was written: a published policy never comes to mean something else. A migration
/// that adds a setting writes it into the rows that are there; what a server of the release before
/// writes beside us has its default.
Policy ParseSettings(const std::string& text, const std::string& id) {
  Policy policy;
  try {
    const Json json = Json::parse(text);
    for (const PolicySetting& setting : PolicySettings()) {
      const auto found = json.find(std::string(setting.name));
      if (found == json.end() && setting.name == kNewSetting) continue;
      if (found == json.end()) throw UnexpectedRow("policy '" + id + "' lacks a setting");
      const auto value = found->get<int64_t>();
      if (value < setting.min || value > setting.max) {
        throw UnexpectedRow("policy '" + id + "': " + std::string(setting.name) + " out of range");
      }
      Set(policy, setting, value);
    }
    const auto loss = ParseNodeLoss(json.at("node_loss").get<std::string>());
    if (!loss) throw UnexpectedRow("policy '" + id + "': unknown node_loss");
    policy.node_loss = *loss;
    for (const auto& [programme, row] : json.at("programmes").items()) {
      ProgrammeCaps caps{.programme = ProgrammeId(programme),
                         .duration_max = Seconds{row.at("duration_max").get<int64_t>()}};
      for (const GpuModel model : kGpuModels) {
        caps.gpus_max[static_cast<std::size_t>(model)] =
            row.at("gpus_max").value(std::string(Name(model)), 0);
      }
      policy.programmes.push_back(std::move(caps));
    }
  } catch (const Json::exception&) {
    throw UnexpectedRow("policy '" + id + "' cannot be read");
  }
  policy.version = id;
  return policy;
}

}  // namespace

PublishedPolicy ReadPolicy(RowReader& row) {
  PublishedPolicy policy{.id = row.AsId<PolicyId>()};
  policy.policy = ParseSettings(row.Text(), policy.id.str());
  policy.effective_time = row.Time();
  policy.create_time = row.Time();
  policy.reason = row.Text();
  policy.withdraw_time = row.OptionalTime();
  policy.withdraw_reason = row.Text();
  return policy;
}

Result<std::optional<PublishedPolicy>> PostgresTx::FindPolicy(const PolicyId& id) {
  return FindOne(ReadPolicy, kFindPolicy, Arguments(id));
}

Result<Page<PublishedPolicy>> PostgresTx::ListPolicies(const PageRequest& page) {
  return FindPage(ReadPolicy, ListQuery(kSelectPolicy, "id", page));
}

Result<std::vector<PublishedPolicy>> PostgresTx::LivePolicies() {
  return FindAll(ReadPolicy, kLivePolicies, Arguments());
}

Status PostgresTx::LockPolicies() {
  return Verb([&]() -> Status {
    Execute(kLockPolicies, Arguments());
    return Ok{};
  });
}

Status PostgresTx::InsertPolicy(const PublishedPolicy& policy) {
  ALLOT_RETURN_IF_ERROR(
      Insert(kInsertPolicy, Arguments(policy.id, FormatSettings(policy.policy),
                                      policy.effective_time, policy.create_time, policy.reason)));
  Changed(ResourceKind::kPolicy, policy.id);
  return Ok{};
}

Status PostgresTx::WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) {
  ALLOT_RETURN_IF_ERROR(Update(kWithdrawPolicy, Arguments(id, at, reason)));
  Changed(ResourceKind::kPolicy, id);
  return Ok{};
}

}  // namespace allot::store
