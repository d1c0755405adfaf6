#include "support/test_issuer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "support/signing.h"

namespace allot::testing {
namespace {

constexpr std::chrono::seconds kPatience{30};

std::string Decoded(const std::string& text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += static_cast<char>(std::strtol(text.substr(i + 1, 2).c_str(), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

TestIssuer::Form FormIn(const std::string& body) {
  TestIssuer::Form form;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find('&', at), body.size());
    const std::string field = body.substr(at, end - at);
    const std::size_t equals = field.find('=');
    if (equals != std::string::npos) {
      form[Decoded(field.substr(0, equals))] = Decoded(field.substr(equals + 1));
    }
    at = end + 1;
  }
  return form;
}

/// Head and body of one request; empty when the other side goes away first.
std::string ReadRequest(int connection) {
  std::string text;
  std::size_t wanted = std::string::npos;
  while (text.size() < wanted) {
    char buffer[4096];
    const ssize_t size = ::read(connection, buffer, sizeof buffer);
    if (size <= 0) return {};
    text.append(buffer, static_cast<std::size_t>(size));
    const std::size_t head = text.find("\r\n\r\n");
    if (head == std::string::npos || wanted != std::string::npos) continue;
    const std::size_t length = text.find("Content-Length: ");
    const bool has_body = length != std::string::npos && length < head;
    wanted = head + 4 + (has_body ? std::stoul(text.substr(length + 16)) : 0);
  }
  return text;
}

}  // namespace

TestIssuer::TestIssuer() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the issuer cannot listen");
  }
  port_ = ntohs(address.sin_port);
  tokens_ = [](const Form&) { return nlohmann::json{{"access_token", "none"}}; };
  thread_ = std::thread([this] { Serve(); });
}

TestIssuer::~TestIssuer() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void TestIssuer::Publish(const std::string& id, KeyPair pair, const nlohmann::json& members) {
  nlohmann::json jwk = JwkOf(pair);
  jwk["kid"] = id;
  if (members.is_object()) jwk.update(members);
  const std::lock_guard lock(mutex_);
  keys_[id] = jwk;
}

void TestIssuer::Withdraw(const std::string& id) {
  const std::lock_guard lock(mutex_);
  keys_.erase(id);
}

void TestIssuer::RefuseWith(std::deque<std::string> refusals) {
  const std::lock_guard lock(mutex_);
  refusals_ = std::move(refusals);
}

void TestIssuer::AnswerTokensWith(std::function<nlohmann::json(const Form&)> tokens) {
  const std::lock_guard lock(mutex_);
  tokens_ = std::move(tokens);
}

void TestIssuer::DescribeDevice(const nlohmann::json& members) {
  const std::lock_guard lock(mutex_);
  device_.update(members);
}

void TestIssuer::Silence(bool silent) {
  const std::lock_guard lock(mutex_);
  silent_ = silent;
}

void TestIssuer::AnswerWith(const std::string& path, int status, const std::string& body) {
  const std::lock_guard lock(mutex_);
  answers_[path] = {status, body};
}

int TestIssuer::asked(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(path);
  return found == asked_.end() ? 0 : found->second;
}

bool TestIssuer::AwaitAsked(const std::string& path, int times) const {
  std::unique_lock lock(mutex_);
  return asked_changed_.wait_for(lock, kPatience, [&] {
    const auto found = asked_.find(path);
    return found != asked_.end() && found->second >= times;
  });
}

nlohmann::json TestIssuer::Claims(Instant now) const {
  return {{"iss", url()},
          {"sub", "kim"},
          {"aud", "allot"},
          {"iat", now.seconds() - 10},
          {"exp", now.seconds() + 600}};
}

nlohmann::json TestIssuer::Header(const std::string& key_id, const std::string& algorithm) {
  return {{"alg", algorithm}, {"typ", "at+jwt"}, {"kid", key_id}};
}

std::string TestIssuer::Token(const nlohmann::json& header, const nlohmann::json& claims,
                              KeyPair pair) {
  const auto algorithm = header.value("alg", std::string("none"));
  return Signed(header.dump(), claims.dump(), pair, algorithm);
}

std::string TestIssuer::Signed(const std::string& header, const std::string& claims, KeyPair pair,
                               const std::string& algorithm) {
  const std::string text = Base64Url(header) + "." + Base64Url(claims);
  return text + "." + Base64Url(SignatureOf(text, pair, algorithm));
}

std::vector<TestIssuer::Form> TestIssuer::forms(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = forms_.find(path);
  return found == forms_.end() ? std::vector<Form>() : found->second;
}

void TestIssuer::Serve() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    {
      const std::lock_guard lock(mutex_);
      if (over_ || connection < 0) {
        if (connection >= 0) ::close(connection);
        return;
      }
    }
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ServeOne(connection);
    ::close(connection);
  }
}

void TestIssuer::ServeOne(int connection) {
  const std::string request = ReadRequest(connection);
  const std::size_t first = request.find(' ');
  const std::size_t second = request.find(' ', first + 1);
  if (first == std::string::npos || second == std::string::npos) return;
  const std::string path = request.substr(first + 1, second - first - 1);
  const Form form = FormIn(request.substr(request.find("\r\n\r\n") + 4));
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    ++asked_[path];
    forms_[path].push_back(form);
    asked_changed_.notify_all();
    if (silent_) return;
    answer = AnswerTo(path, form);
  }
  const std::string text = "HTTP/1.1 " + std::to_string(answer.status) +
                           " .\r\nContent-Type: application/json\r\nConnection: close\r\n"
                           "Content-Length: " +
                           std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t size = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return;
    sent += static_cast<std::size_t>(size);
  }
}

TestIssuer::Answer TestIssuer::AnswerTo(const std::string& path, const Form& form) {
  if (const auto fixed = answers_.find(path); fixed != answers_.end()) return fixed->second;
  if (path == "/keys") return {200, KeySet().dump()};
  if (path == "/.well-known/openid-configuration") return {200, Discovery().dump()};
  if (path == "/token") return TokenAnswer(form);
  if (path == "/revoke") return {200, ""};
  if (path == "/device") {
    nlohmann::json body = {{"device_code", "the-device-code"},
                           {"user_code", "WDJB-MJHT"},
                           {"verification_uri", url() + "/code"},
                           {"verification_uri_complete", url() + "/code?c=WDJB-MJHT"}};
    body.update(device_);
    return {200, body.dump()};
  }
  return {404, "{}"};
}

nlohmann::json TestIssuer::KeySet() const {
  nlohmann::json keys = nlohmann::json::array();
  for (const auto& [id, jwk] : keys_) keys.push_back(jwk);
  return {{"keys", keys}};
}

nlohmann::json TestIssuer::Discovery() const {
  return {{"issuer", url()},
          {"jwks_uri", jwks_uri()},
          {"device_authorization_endpoint", url() + "/device"},
          {"token_endpoint", url() + "/token"},
          {"revocation_endpoint", url() + "/revoke"}};
}

TestIssuer::Answer TestIssuer::TokenAnswer(const Form& form) {
  if (!refusals_.empty()) {
    const std::string error = refusals_.front();
    refusals_.pop_front();
    return {400, nlohmann::json{{"error", error}}.dump()};
  }
  const nlohmann::json given = tokens_(form);
  return {given.contains("error") ? 400 : 200, given.dump()};
}

}  // namespace allot::testing
