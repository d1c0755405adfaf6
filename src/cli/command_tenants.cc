#include <memory>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/resource_name.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

ExitCode ListInstitutes(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Projects::ListInstitutes, v1::ListInstitutesRequest(),
                              [](const auto& page) { return page.institutes_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, InstituteTable(answer->institutes()),
                        NamesOf(answer->institutes()));
  return ExitCode::kOk;
}

Outcome<std::string> InstituteOrAll(const std::string& text) {
  if (text.empty()) return std::string("institutes/-");
  return InstituteName(text);
}

ExitCode ListProjects(Session& session, const std::string& institute) {
  const auto parent = InstituteOrAll(institute);
  if (!parent.ok()) return session.Fail(parent.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListProjectsRequest request;
  request.set_parent(*parent);
  const auto answer = ListAll(**client, &Projects::ListProjects, request,
                              [](const auto& page) { return page.projects_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ProjectTable(answer->projects(), session.Now()),
                        NamesOf(answer->projects()));
  return ExitCode::kOk;
}

ExitCode ListQuotas(Session& session, const std::string& institute) {
  const auto parent = InstituteOrAll(institute);
  if (!parent.ok()) return session.Fail(parent.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListQuotasRequest request;
  request.set_parent(*parent + "/projects/-");
  const auto answer = ListAll(**client, &Quotas::ListQuotas, request,
                              [](const auto& page) { return page.quotas_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, QuotaTable(answer->quotas()), NamesOf(answer->quotas()));
  return ExitCode::kOk;
}

ExitCode GetQuota(Session& session, const std::string& project) {
  const auto name = ProjectName(project);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::GetQuotaRequest request;
  request.set_name(*name + "/quota");
  const auto quota = (*client)->Call(&Quotas::GetQuota, request);
  if (!quota.ok()) return session.Fail(quota.failure());
  session.output().Show(*quota, QuotaUseTable(*quota), {quota->name()});
  return ExitCode::kOk;
}

struct QuotaFlags {
  std::string project;
  std::string h200;
  std::string b200;
  std::string gpu_hours;
  std::string reason;
  std::string etag;
  bool dry_run = false;
};

/// Only what was given is in the mask.
Result<v1::UpdateQuotaRequest> ReadQuotaUpdate(const QuotaFlags& flags) {
  v1::UpdateQuotaRequest request;
  v1::Quota& quota = *request.mutable_quota();
  if (!flags.h200.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const auto gpus,
                           ParseCount("--h200", flags.h200, Reason::kQuotaOutOfRange, 0, kGpusMax));
    quota.mutable_concurrent_gpus()->set_h200(gpus);
    request.mutable_update_mask()->add_paths("concurrent_gpus.h200");
  }
  if (!flags.b200.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const auto gpus,
                           ParseCount("--b200", flags.b200, Reason::kQuotaOutOfRange, 0, kGpusMax));
    quota.mutable_concurrent_gpus()->set_b200(gpus);
    request.mutable_update_mask()->add_paths("concurrent_gpus.b200");
  }
  if (!flags.gpu_hours.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const auto seconds, ParseGpuHours("--gpu-hours", flags.gpu_hours));
    quota.set_gpu_seconds(seconds);
    request.mutable_update_mask()->add_paths("gpu_seconds");
  }
  quota.set_etag(flags.etag);
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  return request;
}

ExitCode SetQuota(Session& session, const QuotaFlags& flags) {
  const auto name = ProjectName(flags.project);
  if (!name.ok()) return session.Fail(name.failure());
  auto request = ReadQuotaUpdate(flags);
  if (!request.ok()) return session.Fail(FailureOf(request.error()));
  if (request->update_mask().paths_size() == 0) {
    return session.Fail(UsageFailure("give at least one of --h200, --b200 and --gpu-hours"));
  }
  request->mutable_quota()->set_name(*name + "/quota");
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto quota = (*client)->Call(&Quotas::UpdateQuota, *request);
  if (!quota.ok()) return session.Fail(quota.failure());
  if (flags.dry_run) session.output().Note("dry run: nothing was changed; it would become");
  session.output().Show(*quota, QuotaUseTable(*quota), {quota->name()});
  return ExitCode::kOk;
}

struct MeritFlags {
  std::string project;
  std::string merit;
  std::string reason;
  std::string etag;
  bool dry_run = false;
};

ExitCode SetMerit(Session& session, const MeritFlags& flags) {
  const auto name = ProjectName(flags.project);
  if (!name.ok()) return session.Fail(name.failure());
  const auto merit = ParseSmallCount("merit", flags.merit, Reason::kMeritOutOfRange, 0, kMeritMax);
  if (!merit.ok()) return session.Fail(FailureOf(merit.error()));
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::SetMeritRequest request;
  request.set_name(*name);
  request.set_merit(*merit);
  request.set_reason(flags.reason);
  request.set_etag(flags.etag);
  request.set_validate_only(flags.dry_run);
  const auto project = (*client)->Call(&Operators::SetMerit, request);
  if (!project.ok()) return session.Fail(project.failure());
  if (flags.dry_run) session.output().Note("dry run: nothing was changed; it would become");
  Repeated<v1::Project> rows;
  *rows.Add() = *project;
  session.output().Show(*project, ProjectTable(rows, session.Now()), {project->name()});
  return ExitCode::kOk;
}

void AddQuotaCommands(CLI::App& root, Action& chosen) {
  CLI::App* quota =
      AddCommand(root, "quota", "Shows and sets what projects may hold",
                 "  allot quota get snu/llm\n"
                 "  allot quota list snu\n"
                 "  allot quota set snu/llm --h200 64 --gpu-hours 123456 --reason \"second call\"");
  quota->require_subcommand(1);

  auto project = std::make_shared<std::string>();
  CLI::App* get = AddCommand(*quota, "get", "Shows a project's quota and what counts against it",
                             "  allot quota get snu/llm");
  get->add_option("project", *project, "INSTITUTE/PROJECT")->required();
  get->callback([&chosen, project] {
    chosen = [project](Session& session) { return GetQuota(session, *project); };
  });

  auto institute = std::make_shared<std::string>();
  CLI::App* list = AddCommand(*quota, "list", "Lists quotas", "  allot quota list snu -o json");
  list->add_option("institute", *institute, "Only this institute's (all you may see)");
  list->callback([&chosen, institute] {
    chosen = [institute](Session& session) { return ListQuotas(session, *institute); };
  });

  auto flags = std::make_shared<QuotaFlags>();
  CLI::App* set = AddCommand(*quota, "set", "Changes limits; what is not given stays",
                             "  allot quota set snu/llm --h200 64 --b200 32 --gpu-hours 123456 "
                             "--reason \"second call\"");
  set->add_option("project", flags->project, "INSTITUTE/PROJECT")->required();
  set->add_option("--h200", flags->h200, "H200 GPUs at the same time");
  set->add_option("--b200", flags->b200, "B200 GPUs at the same time");
  set->add_option("--gpu-hours", flags->gpu_hours, "GPU-hours over the project's life");
  set->add_option("--reason", flags->reason, "Why; kept in the audit")->required();
  set->add_option("--etag", flags->etag, "Refuse if it has changed since");
  set->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  set->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return SetQuota(session, *flags); };
  });
}

}  // namespace

void AddTenantCommands(CLI::App& root, Action& chosen) {
  CLI::App* institutes = AddCommand(root, "institutes", "Lists institutes", "  allot institutes");
  institutes->callback([&chosen] { chosen = ListInstitutes; });

  auto institute = std::make_shared<std::string>();
  CLI::App* projects = AddCommand(root, "projects", "Lists projects",
                                  "  allot projects\n"
                                  "  allot projects snu -o wide");
  projects->add_option("institute", *institute, "Only this institute's (all you may see)");
  projects->callback([&chosen, institute] {
    chosen = [institute](Session& session) { return ListProjects(session, *institute); };
  });

  AddQuotaCommands(root, chosen);

  CLI::App* merit = AddCommand(root, "merit", "Sets the panel's score of a project",
                               "  allot merit set snu/llm 870 --reason \"panel of 2026-03-02\"");
  merit->require_subcommand(1);
  auto flags = std::make_shared<MeritFlags>();
  CLI::App* set = AddCommand(*merit, "set", "Sets the panel's score of a project, 0 to 1000",
                             "  allot merit set snu/llm 870 --reason \"panel of 2026-03-02\"");
  set->add_option("project", flags->project, "INSTITUTE/PROJECT")->required();
  set->add_option("merit", flags->merit, "0 to 1000")->required();
  set->add_option("--reason", flags->reason, "Why; kept in the audit")->required();
  set->add_option("--etag", flags->etag, "Refuse if the project has changed since");
  set->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  set->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return SetMerit(session, *flags); };
  });
}

}  // namespace allot::cli
