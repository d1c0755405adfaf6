#include "store/postgres/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace allot::store {
namespace {

constexpr int kCannotStart = 127;

int StatusOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Forks once more: returns in the new child. The first one, which leads their group, stays to end
// all of it when its parent dies. The kernel would end one process only, and pg_basebackup has a
// second one. It is a copy of the parent, whose locks are held until it has ended, too.
void StayAsGuard(pid_t parent) {
  // Awaited, not handled: the parent's death, and the child's end.
  sigset_t awaited;
  ::sigemptyset(&awaited);
  ::sigaddset(&awaited, SIGTERM);
  ::sigaddset(&awaited, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotStart);
  const pid_t child = ::_Fork();
  if (child == 0) {
    ::pthread_sigmask(SIG_UNBLOCK, &awaited, nullptr);
    return;
  }
  if (child < 0) ::_exit(kCannotStart);
  for (;;) {
    if (::sigwaitinfo(&awaited, nullptr) == SIGTERM) ::kill(0, SIGKILL);
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) ::_exit(StatusOf(status));
  }
}

// Only what is safe between fork and exec in a process with threads: system calls.
[[noreturn]] void BecomeChild(char* const* argv, char* const* environment, const Account* as,
                              int log_fd, pid_t ends_with) {
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  static_cast<void>(::signal(SIGPIPE, SIG_DFL));
  if (ends_with != 0) StayAsGuard(ends_with);
  if (as != nullptr && (::setgroups(as->groups.size(), as->groups.data()) != 0 ||
                        ::setgid(as->gid) != 0 || ::setuid(as->uid) != 0)) {
    ::_exit(kCannotStart);
  }
  // The folder we were started in may be closed to that user.
  if (::chdir("/") != 0) ::_exit(kCannotStart);
  ::execve(argv[0], argv, environment);
  ::_exit(kCannotStart);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Result<Account> FindAccount(const std::string& user) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16'384);
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return StateError(Reason::kConfigInvalid,
                      "PostgreSQL refuses to run as root, and this machine has no user '" + user +
                          "' to run it as: install the package postgresql-15, which makes one.");
  }
  Account account{user, entry.pw_uid, entry.pw_gid, std::vector<gid_t>(64)};
  int count = static_cast<int>(account.groups.size());
  ::getgrouplist(user.c_str(), entry.pw_gid, account.groups.data(), &count);
  account.groups.resize(static_cast<std::size_t>(std::min(count, 64)));
  return account;
}

Result<pid_t> Spawn(const std::vector<std::string>& argv, const std::optional<Account>& as,
                    const std::string& log_path, const std::vector<std::string>& more_environment,
                    WhenWeDie when_we_die) {
  const int log_fd = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) {
    return StateError(Reason::kConfigInvalid, log_path + " cannot be written: " +
                                                  std::generic_category().message(errno) + ".");
  }
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"};
  environment.insert(environment.end(), more_environment.begin(), more_environment.end());
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const pid_t ends_with = when_we_die == WhenWeDie::kItEnds ? ::getpid() : 0;
  const pid_t pid = ::fork();
  if (pid == 0) {
    BecomeChild(argument_pointers.data(), environment_pointers.data(), as ? &*as : nullptr, log_fd,
                ends_with);
  }
  const int fork_errno = errno;
  ::close(log_fd);
  if (pid < 0) {
    return StateError(
        Reason::kStoreUnavailable,
        "A process cannot be started: " + std::generic_category().message(fork_errno) + ".");
  }
  return pid;
}

bool ChildRuns(pid_t pid) {
  int status = 0;
  pid_t seen = 0;
  do {
    seen = ::waitpid(pid, &status, WNOHANG);
  } while (seen < 0 && errno == EINTR);
  return seen == 0;
}

int AwaitChild(pid_t pid, const std::stop_token& stop) {
  {
    // Its number is its own until it is reaped below.
    const std::stop_callback end(stop, [pid] {
      ::kill(-pid, SIGKILL);
      ::kill(pid, SIGKILL);
    });
    siginfo_t ignored{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &ignored, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return kCannotStart;
  }
  return StatusOf(status);
}

}  // namespace allot::store
