#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/place.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

/// What the API takes (pool.proto).
constexpr Seconds kReservationMax = Days(366);

struct ReserveFlags {
  std::string cluster;
  std::string name;
  std::string node_count;
  std::vector<std::string> nodes;
  std::string project;
  std::string start;
  std::string end;
  std::string length;
  std::string every;
  std::string times;
  std::string title;
  std::string reason;
  bool override_promises = false;
  bool dry_run = false;
};

/// When, and how often.
Result<v1::Reservation> ReadTimes(const ReserveFlags& flags, Moments& moments) {
  v1::Reservation reservation;
  Instant start;
  if (flags.start.empty()) {
    start = moments.Keep("--from", moments.now());
  } else {
    ALLOT_ASSIGN_OR_RETURN(start, moments.Read("--from", flags.start));
  }
  *reservation.mutable_start_time() = TimestampOf(start);
  if (flags.end.empty() == flags.length.empty()) {
    return FieldError(flags.end.empty() ? Reason::kFieldRequired : Reason::kFieldNotAllowed,
                      "--until", flags.end, "either --until TIME or --for LENGTH");
  }
  if (!flags.end.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const Instant end, moments.Read("--until", flags.end));
    *reservation.mutable_end_time() = TimestampOf(end);
  } else {
    ALLOT_ASSIGN_OR_RETURN(const Seconds length, ParseLength("--for", flags.length));
    if (length > kReservationMax) {
      return FieldError(Reason::kDurationOutOfRange, "--for", flags.length,
                        "at most " + FormatDuration(kReservationMax));
    }
    *reservation.mutable_end_time() = TimestampOf(start + length);
  }
  if (flags.every.empty() != flags.times.empty()) {
    return FieldError(Reason::kFieldRequired, flags.every.empty() ? "--every" : "--times", "",
                      "both --every LENGTH and --times COUNT, or neither");
  }
  if (flags.every.empty()) return reservation;
  ALLOT_ASSIGN_OR_RETURN(const Seconds every, ParseLength("--every", flags.every));
  reservation.mutable_repeat_every()->set_seconds(every.count);
  ALLOT_ASSIGN_OR_RETURN(const int32_t times,
                         ParseSmallCount("--times", flags.times, Reason::kTimeOutOfRange, 1, 400));
  reservation.set_occurrences(times);
  return reservation;
}

Result<v1::CreateReservationRequest> ReadReservation(const ReserveFlags& flags, Moments& moments) {
  v1::CreateReservationRequest request;
  ALLOT_ASSIGN_OR_RETURN(*request.mutable_reservation(), ReadTimes(flags, moments));
  if (flags.node_count.empty() == flags.nodes.empty()) {
    return FieldError(flags.nodes.empty() ? Reason::kFieldRequired : Reason::kFieldNotAllowed,
                      "--nodes", flags.node_count, "either --nodes COUNT or --node NAME, repeated");
  }
  if (!flags.node_count.empty()) {
    ALLOT_ASSIGN_OR_RETURN(
        const int32_t count,
        ParseSmallCount("--nodes", flags.node_count, Reason::kNodesOutOfRange, 1, kNodesMax));
    request.set_node_count(count);
  }
  request.mutable_reservation()->set_display_name(flags.title);
  request.set_reservation_id(flags.name);
  request.set_reason(flags.reason);
  request.set_override_promises(flags.override_promises);
  request.set_validate_only(flags.dry_run);
  return request;
}

void Show(Session& session, const v1::Reservation& reservation) {
  session.output().Show(reservation,
                        ReservationDetails(reservation, session.Now(), session.output().wide(),
                                           session.output().colours()),
                        {reservation.name()});
}

/// Of one that was only validated. Promises give way to an operator who says so; nothing else does.
bool WouldBeRefused(const v1::Reservation& reservation, const ReserveFlags& flags) {
  return std::ranges::any_of(reservation.conflicts(), [&](const v1::BookingConflict& conflict) {
    return conflict.kind() != v1::BookingConflict::KIND_PROMISED || !flags.override_promises;
  });
}

ExitCode Create(Session& session, const ReserveFlags& flags) {
  auto request = ReadReservation(flags, session.moments());
  if (!request.ok()) return session.Fail(FailureOf(request.error()));
  if (!flags.project.empty()) {
    const auto project = ProjectName(flags.project);
    if (!project.ok()) return session.Fail(project.failure());
    request->mutable_reservation()->set_project(*project);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto cluster = FindCluster(**client, flags.cluster);
  if (!cluster.ok()) return session.Fail(cluster.failure());
  request->set_parent(*cluster);
  for (const std::string& node : flags.nodes) {
    const bool is_full = node.starts_with("providers/");
    request->mutable_reservation()->add_nodes(is_full ? node
                                                      : *cluster + "/nodes/" + LastPart(node));
  }
  const auto created = (*client)->Call(&Pool::CreateReservation, *request);
  if (!created.ok()) return session.Fail(created.failure());
  if (flags.dry_run) {
    session.output().Note(
        WouldBeRefused(*created, flags)
            ? "dry run: nothing was changed; it would be refused for what is in the way below"
            : "dry run: nothing was changed; it would become");
  }
  Show(session, *created);
  return ExitCode::kOk;
}

/// From CLUSTER/RESERVATION, PROVIDER/CLUSTER/RESERVATION or a full name.
Outcome<std::string> FindReservation(Client& client, const std::string& text) {
  if (text.starts_with("providers/")) return text;
  const auto place = FindPlace(client, text);
  if (!place.ok()) return place.failure();
  if (place->node.empty()) {
    return FailureOf(FieldError(Reason::kResourceNameInvalid, "reservation", Printable(text),
                                "CLUSTER/RESERVATION"));
  }
  return place->cluster + "/reservations/" + LastPart(place->node);
}

ExitCode GetReservation(Session& session, const std::string& text) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto name = FindReservation(**client, text);
  if (!name.ok()) return session.Fail(name.failure());
  v1::GetReservationRequest request;
  request.set_name(*name);
  const auto found = (*client)->Call(&Pool::GetReservation, request);
  if (!found.ok()) return session.Fail(found.failure());
  Show(session, *found);
  return ExitCode::kOk;
}

ExitCode List(Session& session, const std::string& cluster) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListReservationsRequest request;
  request.set_parent("providers/-/clusters/-");
  if (!cluster.empty()) {
    const auto name = FindCluster(**client, cluster);
    if (!name.ok()) return session.Fail(name.failure());
    request.set_parent(*name);
  }
  const auto answer = ListAll(**client, &Pool::ListReservations, request,
                              [](const auto& page) { return page.reservations_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ReservationTable(answer->reservations(), session.Now()),
                        NamesOf(answer->reservations()));
  return ExitCode::kOk;
}

ExitCode Cancel(Session& session, const std::string& text, const std::string& reason,
                bool dry_run) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto name = FindReservation(**client, text);
  if (!name.ok()) return session.Fail(name.failure());
  v1::CancelReservationRequest request;
  request.set_name(*name);
  request.set_reason(reason);
  request.set_validate_only(dry_run);
  const auto ended = (*client)->Call(&Pool::CancelReservation, request);
  if (!ended.ok()) return session.Fail(ended.failure());
  if (dry_run) session.output().Note("dry run: nothing was changed; it would become");
  Show(session, *ended);
  return ExitCode::kOk;
}

struct ClusterFlags {
  std::string cluster;
  std::string display_name;
  std::string programmes;
  std::string join;
  std::string leave;
  std::string reason;
  bool dry_run = false;
};

/// "none" takes a date away.
Status SetDate(const std::string& flag, const std::string& text, Moments& moments, bool join,
               v1::Cluster& cluster) {
  if (text == "none") return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const Instant date, moments.Read(flag, text));
  *(join ? cluster.mutable_join_time() : cluster.mutable_leave_time()) = TimestampOf(date);
  return Ok{};
}

/// Only what was given is in the mask.
Result<v1::UpdateClusterRequest> ReadClusterUpdate(const ClusterFlags& flags, Moments& moments) {
  v1::UpdateClusterRequest request;
  v1::Cluster& cluster = *request.mutable_cluster();
  auto& mask = *request.mutable_update_mask();
  if (!flags.display_name.empty()) {
    cluster.set_display_name(flags.display_name);
    mask.add_paths("display_name");
  }
  if (!flags.programmes.empty()) {
    for (const std::string& id : Split(flags.programmes, ',')) cluster.add_programmes(id);
    mask.add_paths("programmes");
  }
  if (!flags.join.empty()) {
    ALLOT_RETURN_IF_ERROR(SetDate("--join", flags.join, moments, /*join=*/true, cluster));
    mask.add_paths("join_time");
  }
  if (!flags.leave.empty()) {
    ALLOT_RETURN_IF_ERROR(SetDate("--leave", flags.leave, moments, /*join=*/false, cluster));
    mask.add_paths("leave_time");
  }
  if (mask.paths().empty()) {
    return FieldError(Reason::kFieldRequired, "--join", "",
                      "at least one of --join, --leave, --programmes and --display-name");
  }
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  return request;
}

ExitCode SetCluster(Session& session, const ClusterFlags& flags) {
  auto request = ReadClusterUpdate(flags, session.moments());
  if (!request.ok()) return session.Fail(FailureOf(request.error()));
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto name = FindCluster(**client, flags.cluster);
  if (!name.ok()) return session.Fail(name.failure());
  request->mutable_cluster()->set_name(*name);
  const auto cluster = (*client)->Call(&Pool::UpdateCluster, *request);
  if (!cluster.ok()) return session.Fail(cluster.failure());
  if (flags.dry_run) session.output().Note("dry run: nothing was changed; it would become");
  Repeated<v1::Cluster> rows;
  *rows.Add() = *cluster;
  session.output().Show(*cluster, ClusterTable(rows, session.Now()), {cluster->name()});
  return ExitCode::kOk;
}

void AddCreateReservation(CLI::App& reservations, Action& chosen) {
  auto flags = std::make_shared<ReserveFlags>();
  CLI::App* create = AddCommand(
      reservations, "create", "Sets nodes of a cluster aside, for a project or for nobody",
      "  allot reservations create nhn-a --nodes 128 --from 2026-04-01T00:00:00Z --for 30d \\\n"
      "    --project ministry/foundation-model --reason \"national project\"\n"
      "  allot reservations create naver-a --node node-017 --node node-018 --from +2d --for 4h \\\n"
      "    --every 7d --times 26 --reason \"weekly maintenance\" --dry-run");
  create->add_option("cluster", flags->cluster, "CLUSTER or PROVIDER/CLUSTER")->required();
  create->add_option("--nodes", flags->node_count, "How many, whichever are least in the way");
  create->add_option("--node", flags->nodes, "A node by name; may be repeated");
  create->add_option("--from", flags->start, "RFC 3339, or +2h from now (now)");
  create->add_option("--until", flags->end, "RFC 3339, or +2h from now");
  create->add_option("--for", flags->length, "Instead of --until: how long, such as 4h or 30d");
  create->add_option("--every", flags->every, "Again so long after each start, such as 7d");
  create->add_option("--times", flags->times, "How often in all: 1 to 400");
  create->add_option("--project", flags->project,
                     "INSTITUTE/PROJECT whose allocations alone may run there (nobody's)");
  create->add_option("--name", flags->name, "The last part of its name (minted)");
  create->add_option("--title", flags->title, "What it is for");
  create->add_option("--reason", flags->reason, "Why; kept in the audit")->required();
  create->add_flag("--override-promises", flags->override_promises,
                   "Promised starts in the way are lost, on record");
  create->add_flag("--dry-run", flags->dry_run, "List what is in the way, change nothing");
  create->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return Create(session, *flags); }; });
}

}  // namespace

void AddReservationCommands(CLI::App& root, Action& chosen) {
  CLI::App* reservations =
      AddCommand(root, "reservations", "Sets nodes aside ahead of time, and gives them back",
                 "  allot reservations create naver-a --nodes 4 --for 4h --reason demo --dry-run\n"
                 "  allot reservations list\n"
                 "  allot reservations cancel naver-a/demo --reason \"called off\"");
  reservations->require_subcommand(1);
  AddCreateReservation(*reservations, chosen);

  auto cluster = std::make_shared<std::string>();
  CLI::App* list = AddCommand(*reservations, "list", "Lists reservations, past ones too",
                              "  allot reservations list naver-a");
  list->add_option("cluster", *cluster, "CLUSTER or PROVIDER/CLUSTER (all)");
  list->callback([&chosen, cluster] {
    chosen = [cluster](Session& session) { return List(session, *cluster); };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* get = AddCommand(*reservations, "get", "Shows one with its nodes",
                             "  allot reservations get naver-a/demo");
  get->add_option("reservation", *name, "CLUSTER/RESERVATION")->required();
  get->callback([&chosen, name] {
    chosen = [name](Session& session) { return GetReservation(session, *name); };
  });

  auto ended = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  auto dry_run = std::make_shared<bool>(false);
  CLI::App* cancel =
      AddCommand(*reservations, "cancel", "Gives the nodes back; work that runs on them goes on",
                 "  allot reservations cancel naver-a/demo --reason \"called off\"");
  cancel->add_option("reservation", *ended, "CLUSTER/RESERVATION")->required();
  cancel->add_option("--reason", *reason, "Why; kept in the audit")->required();
  cancel->add_flag("--dry-run", *dry_run, "Check everything, change nothing");
  cancel->callback([&chosen, ended, reason, dry_run] {
    chosen = [ended, reason, dry_run](Session& session) {
      return Cancel(session, *ended, *reason, *dry_run);
    };
  });

  auto flags = std::make_shared<ClusterFlags>();
  CLI::App* set = AddCommand(
      root, "cluster", "Changes whom a cluster serves, and its dates",
      "  allot cluster kakao-b --join 2026-05-01T00:00:00Z --reason \"delivered in May\"\n"
      "  allot cluster kakao-a --leave none --reason \"contract renewed\"\n"
      "  allot cluster nhn-b --programmes national,call-2026-2 --reason \"second call\"");
  set->add_option("cluster", flags->cluster, "CLUSTER or PROVIDER/CLUSTER")->required();
  set->add_option("--join", flags->join, "Nothing runs on it before: a time, +30d, or none");
  set->add_option("--leave", flags->leave, "All is handed back by then: a time, +30d, or none");
  set->add_option("--programmes", flags->programmes, "Instead of those it serves, by comma");
  set->add_option("--display-name", flags->display_name, "For people");
  set->add_option("--reason", flags->reason, "Kept in the audit; only --display-name needs none");
  set->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  set->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return SetCluster(session, *flags); };
  });
}

}  // namespace allot::cli
