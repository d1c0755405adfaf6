#include "backup/tool.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "store/postgres/binaries.h"
#include "store/postgres/child_process.h"

namespace allot::backup {
namespace {

/// The data of a cluster says which version it is of; backups are made by the newest.
Status FindProgram(std::string& program) {
  if (program.find('/') != std::string::npos) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const auto binaries, store::FindBinaries(std::nullopt));
  program = binaries / program;
  if (::access(program.c_str(), X_OK) == 0) return Ok{};
  return StateError(Reason::kConfigInvalid,
                    program + " is not installed: install the package postgresql-client-15.");
}

}  // namespace

Status RequireNotStopped(const std::stop_token& stop) {
  if (!stop.stop_requested()) return Ok{};
  return StateError(Reason::kShuttingDown, "It was interrupted.");
}

Result<ToolRun> RunTool(std::vector<std::string> argv, const std::stop_token& stop,
                        const std::vector<std::string>& environment) {
  ALLOT_RETURN_IF_ERROR(RequireNotStopped(stop));
  ALLOT_RETURN_IF_ERROR(FindProgram(argv.front()));
  std::string file = std::filesystem::temp_directory_path() / "allot-tool-XXXXXX";
  const int fd = ::mkostemp(file.data(), O_CLOEXEC);
  if (fd < 0) {
    return StateError(Reason::kStoreUnavailable,
                      file + " cannot be made: " + std::generic_category().message(errno) + ".");
  }
  ::close(fd);
  const auto child = store::Spawn(argv, std::nullopt, file, environment, store::WhenWeDie::kItEnds);
  ToolRun run;
  if (child.ok()) run.status = store::AwaitChild(*child, stop);
  std::ifstream stream(file, std::ios::binary);
  run.output = {std::istreambuf_iterator<char>(stream), {}};
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!child.ok()) return child.error();
  ALLOT_RETURN_IF_ERROR(RequireNotStopped(stop));
  return run;
}

std::string EndOf(const std::string& output) {
  constexpr std::size_t kBytes = 600;
  std::string end = output.size() > kBytes ? output.substr(output.size() - kBytes) : output;
  while (!end.empty() && end.back() == '\n') end.pop_back();
  return end;
}

}  // namespace allot::backup
