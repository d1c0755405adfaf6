#include "allot/agent/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/durable_file.h"
#include "agent/enactment_file.h"
#include "agent/folder_entries.h"
#include "agent/inventory_file.h"

namespace allot::agent {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Error Unusable(const std::string& path, const std::string& why) {
  return Error{Reason::kConfigInvalid, "--state", Printable(path), "a folder this agent may use",
               "the state folder " + path + " " + why};
}

std::string Cause(int cause) {
  std::array<char, 256> buffer{};
  return strerror_r(cause, buffer.data(), buffer.size());
}

Status MakeFolder(const std::string& root, const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Ok{};
  return Unusable(root, "cannot be made: " + path + ": " + Cause(errno));
}

constexpr const char* kRegistrationFile = "registration";

/// As agents mint them.
bool IsRequestId(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

/// Members of the right kind, or nothing.
std::optional<json> ReadObject(const std::string& text) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

std::string TextOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<std::unique_ptr<StateFolder>> StateFolder::Open(Options options, const ProviderId& provider,
                                                       const ClusterId& cluster) {
  const std::string root = options.path;
  ALLOT_RETURN_IF_ERROR(MakeFolder(root, root));
  ALLOT_RETURN_IF_ERROR(MakeFolder(root, root + "/enactments"));
  ALLOT_RETURN_IF_ERROR(MakeFolder(root, root + "/health"));
  std::unique_ptr<StateFolder> folder(new StateFolder(std::move(options)));
  const std::string lock = root + "/agent.lock";
  folder->lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (folder->lock_fd_ < 0) return Unusable(root, "cannot be written: " + Cause(errno));
  // The kernel gives the lock back when its holder dies, however it dies.
  if (::flock(folder->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return Unusable(root, "is in use by another agent: stop that one, or give this one its own");
  }
  ALLOT_RETURN_IF_ERROR(folder->RemoveLeftovers());
  ALLOT_RETURN_IF_ERROR(folder->Claim(provider, cluster));
  ALLOT_ASSIGN_OR_RETURN(const auto inventory, ReadWhole(root + "/inventory.json"));
  if (inventory) {
    auto listed = ParseInventory(*inventory);
    if (!listed) {
      return Unusable(root,
                      "is damaged: inventory.json is not a generation with its nodes: move it out "
                      "of the folder, the list is sent anew");
    }
    folder->generation_ = listed->generation;
    folder->nodes_ = std::move(listed->nodes);
  }
  return folder;
}

StateFolder::~StateFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status StateFolder::Claim(const ProviderId& provider, const ClusterId& cluster) {
  ALLOT_ASSIGN_OR_RETURN(const auto text, ReadWhole(options_.path + "/cluster.json"));
  if (!text) {
    const ordered_json owner = {{"provider", provider.str()}, {"cluster", cluster.str()}};
    return WriteDurably(options_.path, "cluster.json", owner.dump() + "\n", options_.after_step);
  }
  const auto owner = ReadObject(*text);
  if (!owner) {
    return Unusable(options_.path,
                    "is damaged: cluster.json is not a JSON object: if the folder is that of " +
                        cluster.str() + ", move that file out of it");
  }
  const std::string owner_provider = TextOf(*owner, "provider");
  const std::string owner_cluster = TextOf(*owner, "cluster");
  if (owner_provider != provider.str() || owner_cluster != cluster.str()) {
    return Unusable(options_.path, "belongs to the cluster " + Printable(owner_cluster) +
                                       " of the provider " + Printable(owner_provider) +
                                       ", not to " + cluster.str() + " of " + provider.str());
  }
  return Ok{};
}

Status StateFolder::RemoveLeftovers() const {
  for (const std::string& folder : {options_.path, options_.path + "/enactments"}) {
    const auto entries = EntriesOf(folder);
    if (!entries.ok()) return Unusable(options_.path, "cannot be used: " + entries.error().message);
    for (const std::filesystem::directory_entry& entry : *entries) {
      if (!entry.path().string().ends_with(kUnfinishedSuffix)) continue;
      std::error_code error;
      std::filesystem::remove(entry.path(), error);
      if (error) return Unusable(options_.path, "cannot be cleaned up: " + error.message());
    }
  }
  return Ok{};
}

Result<int64_t> StateFolder::GenerationOf(const std::vector<std::string>& nodes) {
  if (generation_ > 0 && nodes == nodes_) return generation_;
  const int64_t earlier = std::exchange(generation_, generation_ + 1);
  std::vector<std::string> earlier_nodes = std::exchange(nodes_, nodes);
  if (const Status written = WriteInventory(); !written.ok()) {
    generation_ = earlier;
    nodes_ = std::move(earlier_nodes);
    return written.error();
  }
  return generation_;
}

Status StateFolder::RaiseGenerationAbove(int64_t generation) {
  if (generation == 0 || generation_ > generation) return Ok{};
  generation_ = generation + 1;
  return WriteInventory();
}

Status StateFolder::WriteInventory() {
  return WriteDurably(options_.path, "inventory.json", RenderInventory({generation_, nodes_}),
                      options_.after_step);
}

std::string StateFolder::PendingRegistration() const {
  const auto text = ReadWhole(options_.path + "/" + kRegistrationFile);
  // What is no id is as good as none: the server would refuse it for ever.
  return text.ok() && *text && IsRequestId(**text) ? **text : std::string();
}

Status StateFolder::KeepPendingRegistration(const std::string& request_id) {
  if (!request_id.empty()) {
    return WriteDurably(options_.path, kRegistrationFile, request_id, options_.after_step);
  }
  // Not synced: an id that a crash brings back is answered with its session.
  std::error_code error;
  std::filesystem::remove(options_.path + "/" + kRegistrationFile, error);
  if (!error) return Ok{};
  return StateError(Reason::kStoreUnavailable, options_.path + "/" + kRegistrationFile +
                                                   " cannot be removed: " + error.message());
}

/// Nothing when there is no such file.
Result<std::optional<Enactment>> StateFolder::ReadRecord(const std::string& name) const {
  const std::string path = options_.path + "/enactments/" + name;
  ALLOT_ASSIGN_OR_RETURN(const auto text, ReadWhole(path));
  if (!text) return std::optional<Enactment>();
  ALLOT_ASSIGN_OR_RETURN(Enactment enactment, ParseEnactment(*text, path));
  if (name != EnactmentFileName(enactment.allocation, enactment.attempt)) {
    return StateError(Reason::kConfigInvalid, path + " is damaged: it is about another attempt");
  }
  return std::optional(std::move(enactment));
}

Result<std::optional<Enactment>> StateFolder::Find(const AllocationId& allocation,
                                                   int attempt) const {
  return ReadRecord(EnactmentFileName(allocation, attempt));
}

Status StateFolder::Write(const Enactment& enactment) {
  return WriteDurably(options_.path + "/enactments",
                      EnactmentFileName(enactment.allocation, enactment.attempt),
                      RenderEnactment(enactment), options_.after_step);
}

Result<Records> StateFolder::List() const {
  ALLOT_ASSIGN_OR_RETURN(const auto entries, EntriesOf(options_.path + "/enactments"));
  Records records;
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".json")) continue;
    Result<std::optional<Enactment>> record = ReadRecord(name);
    if (!record.ok()) {
      records.unreadable.push_back(record.error().message);
    } else if (*record) {
      records.enactments.push_back(**std::move(record));
    }
  }
  std::ranges::sort(records.enactments, {}, [](const Enactment& enactment) {
    return std::pair(enactment.allocation, enactment.attempt);
  });
  return records;
}

Result<int> StateFolder::RemoveEndedBefore(Instant t) {
  ALLOT_ASSIGN_OR_RETURN(const Records records, List());
  int removed = 0;
  for (const Enactment& enactment : records.enactments) {
    const bool ended =
        enactment.state == EnactmentState::kReleased || enactment.state == EnactmentState::kFailed;
    if (!ended || enactment.update_time >= t) continue;
    const std::string path =
        options_.path + "/enactments/" + EnactmentFileName(enactment.allocation, enactment.attempt);
    // Not synced: a record that a crash brings back does no harm.
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) {
      return StateError(Reason::kStoreUnavailable, path + " cannot be removed: " + error.message());
    }
    ++removed;
  }
  return removed;
}

}  // namespace allot::agent
