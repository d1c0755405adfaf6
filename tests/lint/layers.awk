# Reads C++ files named on the command line, relative to the top folder, and prints one line for every
# include that the table below does not allow. The table is docs/ARCHITECTURE.md's "who may include whom".

BEGIN {
  # layer | Allot layers whose headers it may include | third parties it may include
  row("base",           "base",                                       "");
  row("model",          "base model",                                 "");
  row("scheduler",      "base model scheduler",                       "");
  row("replay",         "base model scheduler replay",                "nlohmann");
  row("store",          "base model store",                           "openssl nlohmann");
  row("store/postgres", "base model store store/postgres",            "pqxx openssl nlohmann");
  row("store/memory",   "base model store store/memory",              "openssl");
  row("backup",         "base model store store/postgres backup",     "nlohmann");
  row("control",        "base model scheduler replay store control",  "openssl");
  row("transport",      "base transport",                             "grpc openssl");
  row("yaml",           "base yaml",                                  "yaml");
  row("oidc",           "base oidc",                                  "openssl nlohmann curl cjose");
  row("rpc",            "base model control transport oidc proto rpc",          "grpc openssl spdlog prometheus nlohmann");
  row("agent",          "base model transport yaml proto agent",              "grpc openssl spdlog prometheus nlohmann yaml");
  row("cli",            "base transport oidc yaml proto cli",             "grpc openssl yaml cli11 nlohmann");
  row("sim",            "base model scheduler replay store control sim", "nlohmann");
  row("chaos",          "base model scheduler store control agent chaos", "");
  row("apps",           "base model scheduler replay store store/postgres backup control transport oidc yaml proto rpc agent cli sim chaos apps",
                        "grpc openssl spdlog prometheus nlohmann yaml cli11 systemd");

  # How a third party is recognised: by how its includes begin.
  party("grpcpp/", "grpc"); party("grpc/", "grpc"); party("grpc++/", "grpc"); party("google/", "grpc");
  party("pqxx/", "pqxx"); party("libpq", "pqxx"); party("postgresql/", "pqxx");
  party("absl/", "absl"); party("openssl/", "openssl"); party("nlohmann/", "nlohmann");
  party("spdlog/", "spdlog"); party("fmt/", "spdlog"); party("prometheus/", "prometheus"); party("systemd/", "systemd"); party("curl/", "curl"); party("cjose/", "cjose");
  party("yaml-cpp/", "yaml"); party("CLI/", "cli11"); party("boost/", "boost");

  # Pure layers: no clock, no randomness, no I/O, no threads, and nothing whose order of iteration is chance.
  split("chrono ctime time.h random iostream ostream istream fstream filesystem syncstream thread mutex " \
        "shared_mutex condition_variable future atomic unordered_map unordered_set unistd.h fcntl.h", names, " ");
  for (i in names) impure[names[i]] = 1;
}

function row(layer, layers, parties,   list, i, n) {
  known[layer] = 1;
  n = split(layers, list, " ");
  for (i = 1; i <= n; i++) may_include[layer, list[i]] = 1;
  n = split(parties, list, " ");
  for (i = 1; i <= n; i++) may_use[layer, list[i]] = 1;
}

function party(prefix, name) { parties[prefix] = name }

# The layer of a path below src/ or include/allot/.
function layer_of(path) {
  if (path ~ /^store\/(postgres|memory)\//) return path ~ /^store\/p/ ? "store/postgres" : "store/memory";
  sub(/\/.*/, "", path);
  return path;
}

function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }

FNR == 1 {
  path = FILENAME;
  public = sub(/^include\/allot\//, "", path);
  if (!public) sub(/^src\//, "", path);
  layer = layer_of(path);
  if (!(layer in known)) complain("no row for " layer " in the table of tests/lint/layers.awk");
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
  target = $0;
  sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", target);
  sub(/[>"].*/, "", target);
  check(target);
}

function check(target,   prefix, own) {
  if (target ~ /(^|\/)\.\.?\//) { complain("relative include \"" target "\": name it from src/ or include/"); return }
  if (target ~ /^allot\/v[0-9]/) { demand("proto", target); if (public && layer != "rpc" && layer != "agent" && layer != "cli") complain(target); return }
  if (target ~ /^allot\//) {
    own = target;
    sub(/^allot\//, "", own);
    demand(layer_of(own), target);
    return;
  }
  for (prefix in parties) if (index(target, prefix) == 1) {
    if (!((layer, parties[prefix]) in may_use)) complain(layer " must not see " parties[prefix] ": " target);
    return;
  }
  own = target;
  sub(/\/.*/, "", own);
  if (target ~ /\// && (own in known)) {
    # A private header, named from src/.
    if (public) complain("a public header must not include the private " target);
    demand(layer_of(target), target);
    return;
  }
  if (layer == "model" || layer == "scheduler") {
    if ((target in impure) || target ~ /^(sys|netinet|arpa|net|linux)\//) {
      complain(layer " is pure: no clock, randomness, I/O, threads or unordered containers: " target);
    }
    return;
  }
  if (target ~ /\// && target !~ /^(sys|netinet|arpa|net|linux|bits|experimental)\//) {
    complain("third party without an entry in tests/lint/layers.awk: " target);
  }
}

function demand(wanted, target) {
  if (!((layer, wanted) in may_include)) complain(layer " must not include " wanted ": " target);
}
