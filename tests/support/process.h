#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace allot::testing {

inline constexpr std::chrono::seconds kPatience{60};

/// How a process ended.
struct Ended {
  /// What it passed to exit; -1 when a signal ended it.
  int exit_code = -1;
  /// The signal that ended it; 0 when it exited.
  int signal = 0;
  std::string out;
  std::string err;
};

/// A real program run by a test, with its output kept and its lines awaitable. Never outlives the
/// test: the destructor asks it to end (SIGTERM) and then makes it end (SIGKILL), and the kernel
/// kills it when the test itself dies.
class Process {
 public:
  struct Options {
    /// The program and its arguments; a program without a slash is looked up in PATH.
    std::vector<std::string> command;
    /// Set in addition to the test's own environment.
    std::vector<std::pair<std::string, std::string>> environment;
    /// Ends by itself when the destructor sends SIGTERM; else SIGKILL after this long.
    std::chrono::seconds grace{15};
  };

  /// Throws std::runtime_error when the program cannot be started.
  explicit Process(Options options);
  explicit Process(std::vector<std::string> command)
      : Process(Options{.command = std::move(command)}) {}
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  /// The first line of stderr (or stdout) that contains `text`, among those printed after the last
  /// one awaited there. Nothing when the program ended or `patience` ran out without one.
  std::optional<std::string> AwaitErr(std::string_view text,
                                      std::chrono::milliseconds patience = kPatience);
  std::optional<std::string> AwaitOut(std::string_view text,
                                      std::chrono::milliseconds patience = kPatience);

  void Signal(int signal) const;
  /// kill -9, and waits until it is gone.
  Ended Kill();
  /// SIGTERM, and waits for the end.
  Ended Terminate(std::chrono::milliseconds patience = kPatience);
  /// Throws std::runtime_error, with what was printed, when it is still there after `patience`.
  Ended Wait(std::chrono::milliseconds patience = kPatience);
  bool running();

  std::string out() const { return out_.text(); }
  std::string err() const { return err_.text(); }

 private:
  /// What came out of one pipe, and how far a test has read on in it.
  class Stream {
   public:
    void Append(std::string_view bytes);
    void Close();
    std::string text() const;
    std::optional<std::string> AwaitLine(std::string_view wanted,
                                         std::chrono::milliseconds patience);
    /// Until the other end is closed; a child of the program may keep it open, hence the bound.
    void AwaitClose(std::chrono::milliseconds patience);

   private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::size_t read_ = 0;
    bool closed_ = false;
  };

  static void Drain(int out, int err, int stop, Stream& out_stream, Stream& err_stream);
  /// Whether it ended within `patience`; reaps it.
  bool Reap(std::chrono::milliseconds patience);

  Options options_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int stop_fd_ = -1;
  std::optional<int> status_;
  Stream out_;
  Stream err_;
  std::thread reader_;
};

/// Runs a program to its end.
Ended RunToEnd(Process::Options options, std::chrono::milliseconds patience = kPatience);
Ended RunToEnd(std::vector<std::string> command, std::chrono::milliseconds patience = kPatience);

/// The path of a binary of this build. Requires ALLOT_BIN_DIR, which tests/run sets.
std::string Binary(std::string_view name);

/// Whether a process with this id exists and is not a zombie.
bool Lives(pid_t pid);

}  // namespace allot::testing
