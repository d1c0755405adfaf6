#include <memory>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/place.h"
#include "cli/resource_name.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

constexpr const char* kUsualHorizon = "7d";

struct PoolFlags {
  bool timeline = false;
  std::string horizon;
  std::string step;
};

ExitCode ShowPool(Session& session, const PoolFlags& flags) {
  if (!flags.timeline && !(flags.step.empty() && flags.horizon.empty())) {
    return session.Fail(
        UsageFailure((flags.step.empty() ? "--for" : "--step") + std::string(" is of the timeline"),
                     "Add --timeline."));
  }
  v1::GetCapacityRequest request;
  if (flags.timeline) {
    const auto horizon =
        ParseLength("--for", flags.horizon.empty() ? kUsualHorizon : flags.horizon);
    if (!horizon.ok()) return session.Fail(FailureOf(horizon.error()));
    request.mutable_horizon()->set_seconds(horizon->count);
    if (!flags.step.empty()) {
      const auto step = ParseLength("--step", flags.step);
      if (!step.ok()) return session.Fail(FailureOf(step.error()));
      request.mutable_step()->set_seconds(step->count);
    }
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto capacity = (*client)->Call(&Pool::GetCapacity, request);
  if (!capacity.ok()) return session.Fail(capacity.failure());
  std::vector<std::string> clusters;
  for (const v1::ClusterCapacity& cluster : capacity->clusters()) {
    clusters.push_back(cluster.cluster());
  }
  const Output& output = session.output();
  if (flags.timeline) {
    output.Show(*capacity, TimelineTable(*capacity, session.Now()), clusters);
  } else {
    output.Show(*capacity, CapacityText(*capacity, session.Now(), output.wide(), output.colours()),
                clusters);
  }
  return ExitCode::kOk;
}

ExitCode ListProviders(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Pool::ListProviders, v1::ListProvidersRequest(),
                              [](const auto& page) { return page.providers_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ProviderTable(answer->providers()), NamesOf(answer->providers()));
  return ExitCode::kOk;
}

ExitCode ListClusters(Session& session, const std::string& provider) {
  v1::ListClustersRequest request;
  request.set_parent("providers/-");
  if (!provider.empty()) {
    const auto name = ProviderName(provider);
    if (!name.ok()) return session.Fail(name.failure());
    request.set_parent(*name);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Pool::ListClusters, request,
                              [](const auto& page) { return page.clusters_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ClusterTable(answer->clusters(), session.Now()),
                        NamesOf(answer->clusters()));
  return ExitCode::kOk;
}

/// The one cluster named, or all.
Outcome<std::vector<std::string>> ClustersOf(Client& client, const std::string& text) {
  if (!text.empty()) {
    const auto cluster = FindCluster(client, text);
    if (!cluster.ok()) return cluster.failure();
    return std::vector<std::string>{*cluster};
  }
  v1::ListClustersRequest request;
  request.set_parent("providers/-");
  const auto answer = ListAll(client, &Pool::ListClusters, request,
                              [](const auto& page) { return page.clusters_size(); });
  if (!answer.ok()) return answer.failure();
  return NamesOf(answer->clusters());
}

ExitCode ListNodes(Session& session, const std::string& cluster, const std::string& health) {
  v1::ListNodesRequest request;
  if (!health.empty()) {
    std::string name = "HEALTH_" + health;
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    v1::Node::Health value{};
    if (!v1::Node::Health_Parse(name, &value) || value == v1::Node::HEALTH_UNSPECIFIED) {
      return session.Fail(FailureOf(FieldError(Reason::kEnumUnknown, "--health", Printable(health),
                                               "ready, unknown, down or removed")));
    }
    request.set_health(value);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto clusters = ClustersOf(**client, cluster);
  if (!clusters.ok()) return session.Fail(clusters.failure());
  v1::ListNodesResponse all;
  for (const std::string& name : *clusters) {
    request.set_parent(name);
    const auto answer = ListAll(**client, &Pool::ListNodes, request,
                                [](const auto& page) { return page.nodes_size(); });
    if (!answer.ok()) return session.Fail(answer.failure());
    all.MergeFrom(*answer);
  }
  session.output().Show(all, NodeTable(all.nodes()), NamesOf(all.nodes()));
  return ExitCode::kOk;
}

ExitCode ListOrders(Session& session, const std::string& cluster, const std::string& state) {
  v1::ListOrdersRequest request;
  if (!state.empty()) {
    std::string name = "STATE_" + state;
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    v1::Order::State value{};
    if (!v1::Order::State_Parse(name, &value) || value == v1::Order::STATE_UNSPECIFIED) {
      return session.Fail(FailureOf(FieldError(Reason::kEnumUnknown, "--state", Printable(state),
                                               "open, done, failed or superseded")));
    }
    request.set_state(value);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto clusters = ClustersOf(**client, cluster);
  if (!clusters.ok()) return session.Fail(clusters.failure());
  v1::ListOrdersResponse all;
  for (const std::string& name : *clusters) {
    request.set_parent(name);
    const auto answer = ListAll(**client, &Providers::ListOrders, request,
                                [](const auto& page) { return page.orders_size(); });
    if (!answer.ok()) return session.Fail(answer.failure());
    all.MergeFrom(*answer);
  }
  session.output().Show(all, OrderTable(all.orders(), session.Now()), NamesOf(all.orders()));
  return ExitCode::kOk;
}

}  // namespace

void AddPoolCommands(CLI::App& root, Action& chosen) {
  auto pool_flags = std::make_shared<PoolFlags>();
  CLI::App* pool = AddCommand(root, "pool", "Shows capacity by cluster, provider and model",
                              "  allot pool\n"
                              "  allot pool --timeline --for 14d --step 12h\n"
                              "  allot pool -o json");
  pool->add_flag("--timeline", pool_flags->timeline, "Free GPUs over time, by what is planned");
  pool->add_option("--for", pool_flags->horizon, "How far the timeline reaches (7d)");
  pool->add_option("--step", pool_flags->step, "Between two of its lines");
  pool->callback([&chosen, pool_flags] {
    chosen = [pool_flags](Session& session) { return ShowPool(session, *pool_flags); };
  });

  CLI::App* providers = AddCommand(root, "providers", "Lists providers", "  allot providers");
  providers->callback([&chosen] { chosen = ListProviders; });

  auto provider = std::make_shared<std::string>();
  CLI::App* clusters = AddCommand(root, "clusters", "Lists clusters",
                                  "  allot clusters\n"
                                  "  allot clusters naver -o wide");
  clusters->add_option("provider", *provider, "Only this provider's");
  clusters->callback([&chosen, provider] {
    chosen = [provider](Session& session) { return ListClusters(session, *provider); };
  });

  auto nodes_cluster = std::make_shared<std::string>();
  auto health = std::make_shared<std::string>();
  CLI::App* nodes =
      AddCommand(root, "nodes", "Lists nodes by name (operators, auditors, providers)",
                 "  allot nodes naver-a\n"
                 "  allot nodes --health down");
  nodes->add_option("cluster", *nodes_cluster, "CLUSTER or PROVIDER/CLUSTER (all)");
  nodes->add_option("--health", *health, "ready, unknown, down or removed");
  nodes->callback([&chosen, nodes_cluster, health] {
    chosen = [nodes_cluster, health](Session& session) {
      return ListNodes(session, *nodes_cluster, *health);
    };
  });

  auto orders_cluster = std::make_shared<std::string>();
  auto state = std::make_shared<std::string>();
  CLI::App* orders = AddCommand(root, "orders", "Lists what providers were ordered to do",
                                "  allot orders naver-a --state open");
  orders->add_option("cluster", *orders_cluster, "CLUSTER or PROVIDER/CLUSTER (all)");
  orders->add_option("--state", *state, "open, done, failed or superseded");
  orders->callback([&chosen, orders_cluster, state] {
    chosen = [orders_cluster, state](Session& session) {
      return ListOrders(session, *orders_cluster, *state);
    };
  });
}

}  // namespace allot::cli
