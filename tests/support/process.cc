#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace allot::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

[[noreturn]] void Throw(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::array<int, 2> Pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) Throw("pipe");
  return ends;
}

/// Poll with a deadline, whatever signals come in between.
bool Readable(int fd, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = poll(&wanted, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

/// The test's own environment with `additions`, as execvpe takes it; `storage` owns the text.
std::vector<char*> Environment(const std::vector<std::pair<std::string, std::string>>& additions,
                               std::vector<std::string>& storage) {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool replaced = std::ranges::any_of(
        additions, [&](const auto& added) { return text.starts_with(added.first + "="); });
    if (!replaced) storage.emplace_back(text);
  }
  for (const auto& [name, value] : additions) storage.push_back(name + "=" + value);
  std::vector<char*> pointers;
  for (std::string& entry : storage) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Runs between fork and exec in a program with threads: only what is safe there.
[[noreturn]] void Become(const std::vector<char*>& arguments, const std::vector<char*>& environment,
                         int out, int err, pid_t parent) {
  // A test that crashes takes its programs with it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvpe(arguments.front(), arguments.data(), environment.data());
  _exit(127);
}

}  // namespace

Process::Process(Options options) : options_(std::move(options)) {
  const std::array<int, 2> out = Pipe();
  const std::array<int, 2> err = Pipe();
  std::vector<char*> arguments;
  for (std::string& argument : options_.command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  std::vector<std::string> storage;
  const std::vector<char*> environment = Environment(options_.environment, storage);

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) Throw("fork");
  if (pid_ == 0) Become(arguments, environment, out[1], err[1], parent);
  close(out[1]);
  close(err[1]);
  // By number: the wrapper in glibc 2.36 has no C linkage for C++.
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd_ < 0) Throw("pidfd_open");
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  reader_ = std::thread([this, out_fd = out[0], err_fd = err[0]] {
    Drain(out_fd, err_fd, stop_fd_, out_, err_);
    close(out_fd);
    close(err_fd);
  });
}

Process::~Process() {
  if (!status_) {
    Signal(SIGTERM);
    if (!Reap(options_.grace)) {
      Signal(SIGKILL);
      Reap(kPatience);
    }
  }
  const uint64_t one = 1;
  (void)!write(stop_fd_, &one, sizeof one);
  reader_.join();
  close(stop_fd_);
  close(pid_fd_);
}

std::optional<std::string> Process::AwaitErr(std::string_view text, milliseconds patience) {
  return err_.AwaitLine(text, patience);
}

std::optional<std::string> Process::AwaitOut(std::string_view text, milliseconds patience) {
  return out_.AwaitLine(text, patience);
}

void Process::Signal(int signal) const {
  // Not after it was reaped: the number may belong to another by then.
  if (!status_) kill(pid_, signal);
}

Ended Process::Kill() {
  Signal(SIGKILL);
  return Wait();
}

Ended Process::Terminate(milliseconds patience) {
  Signal(SIGTERM);
  return Wait(patience);
}

Ended Process::Wait(milliseconds patience) {
  if (!Reap(patience)) {
    throw std::runtime_error(options_.command.front() + " did not end; it printed:\n" + out() +
                             err());
  }
  constexpr milliseconds kDrain{500};
  out_.AwaitClose(kDrain);
  err_.AwaitClose(kDrain);
  Ended ended{.out = out(), .err = err()};
  if (WIFEXITED(*status_)) ended.exit_code = WEXITSTATUS(*status_);
  if (WIFSIGNALED(*status_)) ended.signal = WTERMSIG(*status_);
  return ended;
}

bool Process::running() { return !Reap(milliseconds(0)); }

bool Process::Reap(milliseconds patience) {
  if (status_) return true;
  if (!Readable(pid_fd_, patience)) return false;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) Throw("waitpid");
  status_ = status;
  return true;
}

void Process::Drain(int out, int err, int stop, Stream& out_stream, Stream& err_stream) {
  std::array<pollfd, 3> watched{pollfd{.fd = out, .events = POLLIN, .revents = 0},
                                pollfd{.fd = err, .events = POLLIN, .revents = 0},
                                pollfd{.fd = stop, .events = POLLIN, .revents = 0}};
  const std::array<Stream*, 2> streams{&out_stream, &err_stream};
  std::array<char, 65536> buffer{};
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      const ssize_t count = read(watched[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        streams[i]->Append({buffer.data(), static_cast<std::size_t>(count)});
      } else {
        streams[i]->Close();
        watched[i].fd = -1;
      }
    }
    if (watched[2].revents != 0) break;
  }
  out_stream.Close();
  err_stream.Close();
}

void Process::Stream::Append(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  text_ += bytes;
  changed_.notify_all();
}

void Process::Stream::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::string Process::Stream::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

std::optional<std::string> Process::Stream::AwaitLine(std::string_view wanted,
                                                      milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  for (;;) {
    for (std::size_t end; (end = text_.find('\n', read_)) != std::string::npos;) {
      const std::string line = text_.substr(read_, end - read_);
      read_ = end + 1;
      if (line.find(wanted) != std::string::npos) return line;
    }
    if (closed_) return std::nullopt;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
  }
}

void Process::Stream::AwaitClose(milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return closed_; });
}

Ended RunToEnd(Process::Options options, milliseconds patience) {
  Process process(std::move(options));
  return process.Wait(patience);
}

Ended RunToEnd(std::vector<std::string> command, milliseconds patience) {
  return RunToEnd(Process::Options{.command = std::move(command)}, patience);
}

std::string Binary(std::string_view name) {
  const char* folder = std::getenv("ALLOT_BIN_DIR");
  if (folder == nullptr) throw std::runtime_error("ALLOT_BIN_DIR is not set; use tests/run");
  return std::string(folder) + "/" + std::string(name);
}

bool Lives(pid_t pid) {
  // The state follows the name, which is in parentheses and may hold anything.
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::ostringstream text;
  // An iterator over the buffer would throw when the process goes in the middle.
  text << file.rdbuf();
  const std::string stat = text.str();
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && name_end + 2 < stat.size() && stat[name_end + 2] != 'Z';
}

}  // namespace allot::testing
