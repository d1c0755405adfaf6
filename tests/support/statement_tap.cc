#include "support/statement_tap.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "support/temp_dir.h"

namespace allot::testing {
namespace {

constexpr std::string_view kHost = "host=";

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error("too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int Socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::runtime_error("no socket");
  return fd;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// The messages of a client, cut out of the bytes that it sends.
class Messages {
 public:
  template <class Note>
  void Feed(std::string_view bytes, const Note& note) {
    held_ += bytes;
    for (;;) {
      // Only the first has no type in front.
      const std::size_t head = is_first_ ? 0 : 1;
      if (held_.size() < head + 4) return;
      uint32_t length = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        length = (length << 8) | static_cast<unsigned char>(held_[head + i]);
      }
      if (held_.size() < head + length) return;
      if (!is_first_) note(held_[0], std::string_view(held_).substr(5, length - 4));
      held_.erase(0, head + length);
      is_first_ = false;
    }
  }

 private:
  std::string held_;
  bool is_first_ = true;
};

}  // namespace

struct StatementTap::State {
  TempDir dir;
  std::string real;
  std::string url;
  int listener = -1;
  std::mutex mutex;
  std::vector<std::string> asked;
  std::vector<int> open;
  std::thread acceptor;
  std::vector<std::thread> threads;

  void Note(char type, std::string_view body) {
    const std::string_view text = body.substr(0, body.find('\0'));
    const std::lock_guard lock(mutex);
    if (type == 'Q') asked.emplace_back(text);
    // A Bind: the portal's name, then the statement's.
    if (type == 'B') {
      body.remove_prefix(text.size() + 1);
      asked.emplace_back(body.substr(0, body.find('\0')));
    }
  }

  /// Until either side ends; then both do.
  void Pass(int from, int to, bool is_client) {
    Messages messages;
    std::array<char, 65'536> bytes{};
    for (;;) {
      const ssize_t count = ::recv(from, bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      const std::string_view read(bytes.data(), static_cast<std::size_t>(count));
      if (is_client) {
        messages.Feed(read, [this](char type, std::string_view body) { Note(type, body); });
      }
      if (!SendAll(to, read)) break;
    }
    ::shutdown(from, SHUT_RDWR);
    ::shutdown(to, SHUT_RDWR);
  }

  void Accept() {
    for (;;) {
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = Socket();
      const sockaddr_un address = AddressOf(real);
      const bool connected =
          ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
      const std::lock_guard lock(mutex);
      open.insert(open.end(), {client, server});
      if (!connected) {
        ::shutdown(client, SHUT_RDWR);
        continue;
      }
      threads.emplace_back([this, client, server] { Pass(client, server, true); });
      threads.emplace_back([this, client, server] { Pass(server, client, false); });
    }
  }
};

StatementTap::StatementTap(const std::string& url) : state_(std::make_unique<State>()) {
  const std::size_t host = url.find(kHost);
  if (host == std::string::npos) throw std::runtime_error("not on a Unix socket: " + url);
  const std::size_t start = host + kHost.size();
  const std::size_t end = std::min(url.find('&', start), url.size());
  std::string folder = url.substr(start, end - start);
  for (std::size_t at; (at = folder.find("%2F")) != std::string::npos;) folder.replace(at, 3, "/");
  const std::string name = ".s.PGSQL.5432";
  state_->real = folder + '/' + name;
  state_->url = url.substr(0, start) + state_->dir.path().string() + url.substr(end);
  state_->listener = Socket();
  const sockaddr_un address = AddressOf(state_->dir / name);
  if (::bind(state_->listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(state_->listener, 64) != 0) {
    throw std::runtime_error("cannot listen in " + state_->dir.path().string());
  }
  state_->acceptor = std::thread([state = state_.get()] { state->Accept(); });
}

StatementTap::~StatementTap() {
  ::shutdown(state_->listener, SHUT_RDWR);
  state_->acceptor.join();
  for (const int fd : state_->open) ::shutdown(fd, SHUT_RDWR);
  for (std::thread& thread : state_->threads) thread.join();
  for (const int fd : state_->open) ::close(fd);
  ::close(state_->listener);
}

const std::string& StatementTap::url() const { return state_->url; }

std::vector<std::string> StatementTap::Take() {
  const std::lock_guard lock(state_->mutex);
  auto asked = std::exchange(state_->asked, {});
  std::erase(asked, "enter_scope");
  return asked;
}

}  // namespace allot::testing
