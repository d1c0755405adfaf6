// The server's configuration, its policy in it. What is accepted passes the checks of every policy
// and reads the same again when the policy is written out; what is refused says file, line and
// setting.
#include <string>

#include "allot/model/policy_settings.h"
#include "apps/allotd/config.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

std::string WrittenOut(const Policy& policy) {
  std::string text = "policy:\n  node_loss: " + std::string(Name(policy.node_loss)) + "\n";
  for (const PolicySetting& setting : PolicySettings()) {
    text += "  " + std::string(setting.name) + ": " + FormatSetting(setting, Get(policy, setting)) +
            "\n";
  }
  text += "  programmes:\n";
  for (const ProgrammeCaps& caps : policy.programmes) {
    text += "    " + caps.programme.str() + ":\n      gpus_max:\n";
    for (const GpuModel model : kGpuModels) {
      text += "        " + std::string(Name(model)) + ": " +
              std::to_string(caps.gpus_max[static_cast<std::size_t>(model)]) + "\n";
    }
    text += "      duration_max: " + FormatDuration(caps.duration_max) + "\n";
  }
  return text;
}

void CheckConfig(const allotd::Config& config) {
  const Status policy = CheckPolicy(config.policy);
  Require(policy.ok(), "a policy that is accepted is sound",
          policy.ok() ? "" : policy.error().message);
  Require(allotd::CheckListen(config).ok(), "plain text stays on this machine", config.listen);
  Require(allotd::IsListenAddress(config.listen), "listen is an address", config.listen);
  Require(config.metrics_listen == "off" || allotd::IsListenAddress(config.metrics_listen),
          "metrics_listen is an address", config.metrics_listen);
  Require(allotd::IsLogLevel(config.log_level), "log_level is one", config.log_level);
  for (const std::string& text :
       {config.listen, config.metrics_listen, config.tls.certificate, config.tls.key,
        config.tls.client_ca, config.tls.trust_domain, config.policy.version}) {
    Require(Printable(text).size() <= 128 && Printable(text).find("\\x") == std::string::npos,
            "a text of the configuration can be shown", Printable(text));
  }
  Require(config.database_connections >= 2 && config.scheduler_poll_ms >= 10 &&
              config.drain_timeout >= Seconds{1} && config.leader_lease >= Seconds{2},
          "numbers are within their range");
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot;
  const auto config = allotd::ParseConfig(fuzz::TextOf(data, size), "allotd.yaml");
  if (!config.ok()) {
    fuzz::RequireOfField(config.error());
    fuzz::Require(config.error().reason == Reason::kConfigInvalid, "it is config_invalid");
    fuzz::Require(config.error().message.starts_with("allotd.yaml:"), "it names file and line",
                  config.error().message);
    return 0;
  }
  fuzz::CheckConfig(*config);
  const std::string written = fuzz::WrittenOut(config->policy);
  const auto again = allotd::ParseConfig(written, "written.yaml");
  Policy expected = config->policy;
  expected.version = DefaultPolicy().version;
  fuzz::Require(again.ok() && again->policy == expected, "a policy comes back", written);
  return 0;
}
