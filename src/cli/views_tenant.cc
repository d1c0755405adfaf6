#include "allot/base/gpu_seconds.h"
#include "allot/base/text.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

std::string Hours(int64_t gpu_seconds) {
  const std::string text = FormatGpuHours(GpuSeconds::FromCount(gpu_seconds));
  return text.substr(0, text.find(' '));
}

}  // namespace

/// "institute_admin" from ROLE_INSTITUTE_ADMIN.
std::string Word(v1::Role role) {
  std::string word = v1::Role_Name(role);
  if (word.starts_with("ROLE_")) word.erase(0, 5);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

Table InstituteTable(const Repeated<v1::Institute>& institutes) {
  Table table({{"INSTITUTE"}, {"SECTOR"}, {"DISPLAY NAME"}});
  for (const v1::Institute& i : institutes) {
    table.Add({ShortName(i.name()), Word(i.sector()), i.display_name()});
  }
  return table;
}

Table ProjectTable(const Repeated<v1::Project>& projects, Instant now) {
  Table table({{"PROJECT"},
               {"PROGRAMME"},
               {"SECTOR"},
               {"MERIT", Align::kRight},
               {"OPEN"},
               {"DISPLAY NAME"},
               {"CREATED", Align::kLeft, true},
               {"ETAG", Align::kLeft, true}});
  for (const v1::Project& p : projects) {
    table.Add({ShortName(p.name()), p.programme(), Word(p.sector()), std::to_string(p.merit()),
               !p.has_open() || p.open() ? "yes" : "no", p.display_name(),
               p.has_create_time() ? Moment(InstantOf(p.create_time()), now) : "", p.etag()});
  }
  return table;
}

Table QuotaTable(const Repeated<v1::Quota>& quotas) {
  Table table({{"PROJECT"},
               {"H200", Align::kRight},
               {"B200", Align::kRight},
               {"GPU-HOURS", Align::kRight},
               {"ETAG", Align::kLeft, true}});
  for (const v1::Quota& q : quotas) {
    table.Add({ShortName(q.name()), FormatCount(q.concurrent_gpus().h200()),
               FormatCount(q.concurrent_gpus().b200()), Hours(q.gpu_seconds()), q.etag()});
  }
  return table;
}

Table QuotaUseTable(const v1::Quota& q) {
  Table table({{"QUOTA OF " + ShortName(q.name())},
               {"LIMIT", Align::kRight},
               {"HELD OR USED", Align::kRight},
               {"SET ASIDE", Align::kRight},
               {"LEFT", Align::kRight}});
  const auto gpus = [&table](const char* model, int64_t limit, int64_t held) {
    table.Add({std::string("GPUs at a time, ") + model, FormatCount(limit), FormatCount(held), "",
               FormatCount(limit - held)});
  };
  gpus("H200", q.concurrent_gpus().h200(), q.held_gpus().h200());
  gpus("B200", q.concurrent_gpus().b200(), q.held_gpus().b200());
  const auto borrowed = [&table](const char* model, int64_t held) {
    if (held > 0) table.Add({std::string("borrowed, ") + model, "", FormatCount(held), "", ""});
  };
  borrowed("H200", q.borrowed_gpus().h200());
  borrowed("B200", q.borrowed_gpus().b200());
  table.Add({"GPU-hours", Hours(q.gpu_seconds()), Hours(q.used_gpu_seconds()),
             Hours(q.committed_gpu_seconds()),
             Hours(q.gpu_seconds() - q.used_gpu_seconds() - q.committed_gpu_seconds())});
  return table;
}

Cell KeyState(const v1::ApiKey& key, Instant now) {
  if (key.has_revoke_time()) {
    return Cell("revoked " + Moment(InstantOf(key.revoke_time()), now), Paint::kDim);
  }
  if (!key.has_expire_time()) return Cell("works", Paint::kGood);
  const Instant end = InstantOf(key.expire_time());
  return now < end ? Cell("works until " + Moment(end, now), Paint::kGood)
                   : Cell("expired " + Moment(end, now), Paint::kDim);
}

Table ApiKeyTable(const Repeated<v1::ApiKey>& keys, Instant now) {
  Table table({{"KEY"}, {"ROLE"}, {"OF"}, {"STATE"}, {"CREATED"}, {"DISPLAY NAME"}});
  for (const v1::ApiKey& k : keys) {
    table.Add({ShortName(k.name()), Word(k.role()),
               ShortName(k.institute().empty() ? k.provider() : k.institute()), KeyState(k, now),
               k.has_create_time() ? Moment(InstantOf(k.create_time()), now) : "",
               k.display_name()});
  }
  return table;
}

Table MemberTable(const Repeated<v1::Member>& members, Instant now) {
  Table table({{"MEMBER"},
               {"ROLE"},
               {"OF"},
               {"SUBJECT"},
               {"STATE"},
               {"DISPLAY NAME"},
               {"ISSUER", Align::kLeft, true},
               {"ADDED", Align::kLeft, true}});
  for (const v1::Member& m : members) {
    const Cell state = m.has_remove_time()
                           ? Cell("removed " + Moment(InstantOf(m.remove_time()), now), Paint::kDim)
                           : Cell("member", Paint::kGood);
    table.Add({ShortName(m.name()), Word(m.role()), ShortName(m.institute()), m.subject(), state,
               m.display_name(), m.issuer(),
               m.has_create_time() ? Moment(InstantOf(m.create_time()), now) : ""});
  }
  return table;
}

std::string CallerText(const v1::WhoAmIResponse& caller, Instant now) {
  const std::string tenant = caller.institute().empty() ? caller.provider() : caller.institute();
  std::string text =
      Word(caller.role()) + (tenant.empty() ? "" : " of " + Harmless(ShortName(tenant)));
  if (caller.has_member()) {
    const v1::Member& member = caller.member();
    text +=
        "\nmember   " + Harmless(ShortName(member.name())) + "  " + Harmless(member.display_name());
    text += "\nissuer   " + Harmless(member.issuer()) + "\nsubject  " + Harmless(member.subject());
  } else {
    const v1::ApiKey& key = caller.api_key();
    text += "\nkey      " + Harmless(ShortName(key.name())) + "  " + Harmless(key.display_name());
    if (key.has_expire_time()) {
      text += "\nends     " + Moment(InstantOf(key.expire_time()), now);
    }
  }
  return text + "\n";
}

Table AuditTable(const Repeated<v1::AuditEntry>& entries, Instant now) {
  Table table({{"TIME"},
               {"ACTOR"},
               {"ACTION"},
               {"RESOURCE"},
               {"DETAIL"},
               {"KEY", Align::kLeft, true},
               {"REQUEST ID", Align::kLeft, true}});
  for (const v1::AuditEntry& e : entries) {
    table.Add({Moment(InstantOf(e.time()), now), e.actor(), e.action(), ShortName(e.resource()),
               e.detail(), ShortName(e.api_key().empty() ? e.member() : e.api_key()),
               e.request_id()});
  }
  return table;
}

}  // namespace allot::cli
