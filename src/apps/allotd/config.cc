#include "apps/allotd/config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "allot/base/read_at_most.h"
#include "allot/base/text.h"
#include "allot/control/proposals.h"
#include "allot/model/name.h"
#include "allot/model/policy_settings.h"
#include "allot/model/request.h"
#include "allot/transport/server_address.h"
#include "allot/yaml/documents.h"
#include "apps/allotd/yaml_fields.h"

namespace allot::allotd {
namespace {

bool IsListenOrOff(std::string_view text) { return text == "off" || IsListenAddress(text); }

bool IsNodeLoss(std::string_view text) { return ParseNodeLoss(text).has_value(); }

bool IsVersionLabel(std::string_view text) {
  return !text.empty() && text.size() <= 64 && Printable(text) == text;
}

bool IsPath(std::string_view text) { return !text.empty() && Printable(text) == text; }

/// One that a command of PostgreSQL can carry, whose own folder is another than ours.
bool IsPathFromTheRoot(std::string_view text) {
  return IsPath(text) && text.front() == '/' &&
         text.find_first_of("'%\\") == std::string_view::npos;
}

/// A SPIFFE trust domain: letters, digits, dots, dashes and underscores, in lower case.
bool IsTrustDomain(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") ==
             std::string_view::npos;
}

void ReadTls(YamlFields tls, Config::Tls& result) {
  const std::string file = "the path of a file of PEM";
  tls.Read("certificate", result.certificate, file, IsPath);
  tls.Read("key", result.key, file, IsPath);
  tls.Read("client_ca", result.client_ca, file, IsPath);
  tls.Read("trust_domain", result.trust_domain, "a name such as allot or gpu.example",
           IsTrustDomain);
  for (const auto& [given, missing] :
       {std::pair("certificate", "key"), {"key", "certificate"}, {"client_ca", "certificate"}}) {
    if (tls.Has(given) && !tls.Has(missing)) tls.Refuse(given, std::string(missing) + " beside it");
  }
  tls.Finish();
}

/// Method by method, how long a call waits for a second person.
void ReadSecondPerson(YamlFields methods, control::CallsForTwo& result) {
  for (const std::string& name : methods.Keys()) {
    if (!control::IsMethodForTwo(name)) {
      std::string known;
      for (const auto method : control::kMethodsForTwo) {
        known += (known.empty() ? "" : ", ") + std::string(method);
      }
      methods.Refuse(name, "one of " + known);
    }
    Seconds valid_for = Days(1);
    methods.Read(name, valid_for, Minutes(10), Days(30));
    result[name] = valid_for;
  }
  for (const auto maker : control::kMethodsThatMakePersons) {
    if (result.empty() || result.contains(std::string(maker))) continue;
    methods.Refuse(result.begin()->first,
                   std::string(maker) +
                       " beside it: whoever can call that alone makes himself a second person");
    break;
  }
  methods.Finish();
}

void ReadServer(YamlFields server, Config& config) {
  server.Read("listen", config.listen, kListenAddress, IsListenAddress);
  ReadTls(server.Mapping("tls"), config.tls);
  if (const Status listen = CheckListen(config); !listen.ok()) {
    server.Refuse("listen", listen.error().limit);
  }
  server.Read("edge", config.edge, "HOST:PORT where clients connect, such as pool.example:8443",
              IsListenAddress);
  server.Read("metrics_listen", config.metrics_listen, std::string(kListenAddress) + ", or off",
              IsListenOrOff);
  server.Read("log_level", config.log_level, "trace, debug, info, warn or error", IsLogLevel);
  server.Read("database_connections", config.database_connections, 2, 100);
  server.Read("call_memory_mib", config.call_memory_mib, 64, 65'536);
  server.Read("reflection", config.reflection);
  server.Read("drain_timeout", config.drain_timeout, Seconds{1}, Minutes(10));
  server.Read("leader_lease", config.leader_lease, Seconds{2}, Minutes(5));
  server.Read("scheduler_poll_ms", config.scheduler_poll_ms, 10, 10'000);
  ReadSecondPerson(server.Mapping("second_person"), config.second_person);
  server.Finish();
}

void ReadBackup(YamlFields backup, Config::Backup& result) {
  backup.Read("folder", result.folder, "a path from the root on, without ', % and \\",
              IsPathFromTheRoot);
  backup.Read("archive_timeout", result.archive_timeout, Seconds{1}, Minutes(60));
  if (backup.Has("archive_timeout") && result.folder.empty()) {
    backup.Refuse("archive_timeout", "folder beside it");
  }
  backup.Finish();
}

void ReadAudit(YamlFields audit, Config::Audit& result) {
  audit.Read("signing_key", result.signing_key, "the path of a file of PEM", IsPath);
  // `allot audit verify` complains of what waits for its signature for more than a day.
  audit.Read("sign_every", result.sign_every, Minutes(1), Hours(12));
  if (audit.Has("sign_every") && result.signing_key.empty()) {
    audit.Refuse("sign_every", "signing_key beside it");
  }
  audit.Finish();
}

ProgrammeCaps ReadProgramme(YamlFields programme, const std::string& name) {
  ProgrammeCaps caps{.programme = ProgrammeId(name), .duration_max = kDurationMax};
  YamlFields gpus = programme.Mapping("gpus_max");
  for (const GpuModel model : kGpuModels) {
    // A model that is not named is closed to the programme.
    gpus.Read(std::string(Name(model)), caps.gpus_max[static_cast<std::size_t>(model)], 0,
              kGpusMax);
  }
  gpus.Finish();
  programme.Read("duration_max", caps.duration_max, kDurationMin, kDurationMax);
  programme.Finish();
  return caps;
}

void ReadSetting(YamlFields& fields, const PolicySetting& setting, Policy& policy) {
  const std::string name(setting.name);
  if (setting.is_time()) {
    Seconds& value = policy.*std::get<Seconds Policy::*>(setting.member);
    fields.Read(name, value, Seconds{setting.min}, Seconds{setting.max});
  } else {
    int& value = policy.*std::get<int Policy::*>(setting.member);
    fields.Read(name, value, static_cast<int>(setting.min), static_cast<int>(setting.max));
  }
}

void ReadPolicy(YamlFields policy, Policy& result) {
  policy.Read("version", result.version, "1 to 64 printable characters", IsVersionLabel);
  for (const PolicySetting& setting : PolicySettings()) ReadSetting(policy, setting, result);
  std::string node_loss(Name(result.node_loss));
  policy.Read("node_loss", node_loss, "requeue or fail", IsNodeLoss);
  result.node_loss = ParseNodeLoss(node_loss).value_or(result.node_loss);

  const bool replaces_programmes = policy.Has("programmes");
  YamlFields programmes = policy.Mapping("programmes");
  if (replaces_programmes) {
    result.programmes.clear();
    for (const std::string& name : programmes.Keys()) {
      if (!CheckName(name, "").ok()) {
        programmes.Refuse(name, "a name of 1 to 63 of a-z, 0-9 and '-' that starts with a letter");
      }
      result.programmes.push_back(ReadProgramme(programmes.Mapping(name), name));
    }
    std::ranges::sort(result.programmes, {}, &ProgrammeCaps::programme);
    if (result.programmes.empty()) policy.Refuse("programmes", "at least one programme");
  }
  if (const auto found = FindContradiction(result)) {
    const std::string longer(found->longer);
    const bool names_longer = policy.Has(longer);
    policy.Refuse(names_longer ? longer : std::string(found->shorter),
                  names_longer ? found->longer_needs : found->shorter_needs);
  }
  policy.Finish();
}

Error NotYaml(const std::string& file, const yaml::Problem& problem) {
  const std::string place = file + ":" + std::to_string(problem.line);
  if (problem.kind == yaml::Problem::Kind::kNoText) {
    return Error{Reason::kConfigInvalid, file, "", "a text in UTF-8",
                 place + ": this is not a text in UTF-8"};
  }
  return Error{Reason::kConfigInvalid, file, "", "YAML",
               place + ": this is not YAML: " + problem.message};
}

}  // namespace

Result<Config> ParseConfig(std::string_view text, const std::string& file) {
  const auto read = yaml::ReadDocuments(std::string(text), yaml::Aliases::kTaken);
  if (const auto* problem = std::get_if<yaml::Problem>(&read)) return NotYaml(file, *problem);
  const auto& documents = std::get<std::vector<YAML::Node>>(read);
  if (documents.size() > 1) {
    return Error{Reason::kConfigInvalid, file, "", "one document",
                 file + ":" + std::to_string(documents[1].Mark().line + 1) +
                     ": a second document: expected one"};
  }
  const YAML::Node document = documents.empty() ? YAML::Node() : documents.front();
  Config config;
  std::optional<Error> error;
  YamlFields top(document, file, "", error);
  ReadServer(top.Mapping("server"), config);
  ReadBackup(top.Mapping("backup"), config.backup);
  ReadAudit(top.Mapping("audit"), config.audit);
  ReadIdentity(top.Mapping("identity"), config.identity);
  ReadPolicy(top.Mapping("policy"), config.policy);
  top.Finish();
  if (error) return *error;
  return config;
}

Result<Config> ReadConfig(const std::string& file) {
  constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;
  // A folder opens like a file and throws only when it is read.
  std::error_code unknown;
  const bool folder = std::filesystem::is_directory(file, unknown);
  errno = folder ? EISDIR : 0;
  std::ifstream input;
  if (!folder) input.open(file, std::ios::binary);
  const std::string text = ReadAtMost(input, kFileBytesMax);
  if (!input.is_open() || input.bad()) {
    return Error{Reason::kConfigInvalid, "config", file, "a readable file",
                 file + " cannot be read: " + std::generic_category().message(errno)};
  }
  if (text.size() > kFileBytesMax) {
    return FieldError(Reason::kConfigInvalid, "config", file, "a file of at most 1 MiB");
  }
  return ParseConfig(text, file);
}

bool IsListenAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || !IsPlainText(text)) return false;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (host.find(':') != std::string_view::npos && !bracketed) return false;
  if (host.find_first_of(" \t/,") != std::string_view::npos) return false;
  int number = -1;
  const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), number);
  return code == std::errc() && end == port.data() + port.size() && number >= 0 && number <= 65535;
}

Status CheckListen(const Config& config) {
  if (!config.tls.certificate.empty() || transport::StaysOnThisMachine(config.listen)) return Ok{};
  return FieldError(Reason::kConfigInvalid, "server.listen", config.listen,
                    "an address of this machine, such as 127.0.0.1:8443, as long as there is no "
                    "server.tls.certificate: plain text never leaves it");
}

bool IsLogLevel(std::string_view text) {
  return text == "trace" || text == "debug" || text == "info" || text == "warn" || text == "error";
}

}  // namespace allot::allotd
