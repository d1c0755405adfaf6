#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "allot/base/time.h"

namespace allot::testing {

/// Key pairs, made with OpenSSL once for all tests: of two RSA and one P-256.
enum class KeyPair { kRsa, kOtherRsa, kEc };

/// A small issuer of tokens: an HTTP server on loopback that publishes keys and lets people log in
/// by a code. It signs whatever it is told to.
class TestIssuer {
 public:
  TestIssuer();
  ~TestIssuer();
  TestIssuer(const TestIssuer&) = delete;
  TestIssuer& operator=(const TestIssuer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string jwks_uri() const { return url() + "/keys"; }

  /// Publishes a key under an id from now on; with more members of its JWK, or others.
  void Publish(const std::string& id, KeyPair pair, const nlohmann::json& members = {});
  void Withdraw(const std::string& id);
  /// Connections are cut off without an answer.
  void Silence(bool silent);
  /// What a path is answered with, whatever would be else.
  void AnswerWith(const std::string& path, int status, const std::string& body);
  /// How often a path was asked for; and until it was so often.
  int asked(const std::string& path) const;
  bool AwaitAsked(const std::string& path, int times) const;

  /// Sound claims of a token for the audience "allot" of "kim", issued ten seconds before `now`.
  nlohmann::json Claims(Instant now) const;
  /// A sound header for a key.
  static nlohmann::json Header(const std::string& key_id, const std::string& algorithm = "RS256");
  static std::string Token(const nlohmann::json& header, const nlohmann::json& claims,
                           KeyPair pair = KeyPair::kRsa);
  /// The same of texts, whatever they are. `algorithm` is how it is really signed: "HS256" with the
  /// public key as the secret, "none" not at all.
  static std::string Signed(const std::string& header, const std::string& claims, KeyPair pair,
                            const std::string& algorithm);

  // ---- Logging in by a code

  using Form = std::map<std::string, std::string>;
  /// What the code is refused with until it is answered: "authorization_pending", "slow_down".
  void RefuseWith(std::deque<std::string> refusals);
  /// What it is answered with then; and a refresh token.
  void AnswerTokensWith(std::function<nlohmann::json(const Form&)> tokens);
  /// What the device authorization says besides.
  void DescribeDevice(const nlohmann::json& members);
  /// The forms that were sent to a path.
  std::vector<Form> forms(const std::string& path) const;

 private:
  struct Answer {
    int status = 200;
    std::string body;
  };

  void Serve();
  void ServeOne(int connection);
  Answer AnswerTo(const std::string& path, const Form& form);
  nlohmann::json KeySet() const;
  nlohmann::json Discovery() const;
  Answer TokenAnswer(const Form& form);

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable asked_changed_;
  std::map<std::string, nlohmann::json> keys_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, int> asked_;
  std::map<std::string, std::vector<Form>> forms_;
  std::deque<std::string> refusals_;
  std::function<nlohmann::json(const Form&)> tokens_;
  nlohmann::json device_ = {{"interval", 5}, {"expires_in", 600}};
  bool silent_ = false;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace allot::testing
