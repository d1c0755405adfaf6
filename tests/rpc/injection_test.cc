// Texts that break things, in every text of every request. Each is refused with a reason that names
// the field, or kept as it is; nothing else happens.

#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/base/text.h"
#include "rpc/matrix_world.h"
#include "rpc/string_fields.h"

namespace allot::rpc {
namespace {

using namespace std::string_literals;

/// By what is in them.
const std::vector<std::string>& Corpus() {
  static const auto* const corpus = new std::vector<std::string>{
      // For SQL.
      "'; DROP TABLE allocations; --",
      "x' OR '1'='1",
      "\\'; SELECT pg_sleep(9); --",
      "$$; TRUNCATE api_keys; $$",
      "E'\\x00'",
      "{a,b}",
      "{\"}",
      "\\",
      "\",\"",
      "NULL",
      "$1",
      "1); DELETE FROM institutes; --",
      // Bytes that are no text, or end one.
      "a\0b"s,
      "\xff\xfe",
      "\xc0\xaf",
      "\xed\xa0\x80",
      "\xf5\x80\x80\x80",
      "\xe2\x82",
      "%00",
      // Lines, logs and terminals.
      "ok\n{\"event\":\"rpc\",\"code\":\"OK\",\"key\":\"forged\"}",
      "a\rb",
      "a\tb",
      "\x1b[31mred\x1b[0m",
      "\x1b]0;title\x07",
      "\xc2\x9b"
      "31m",
      "\x7f\x01\x02",
      "\xe2\x80\xa8",
      "\xc2\x85",
      // Names that look like others.
      "\xe2\x80\xae"
      "rebla",
      "\xd0\xb0lder",
      "al\xe2\x80\x8b"
      "der",
      "\xef\xbb\xbf"
      "alder",
      "\xe2\x81\xa6"
      "alder",
      "Alder",
      "alder ",
      " alder",
      // Paths and names.
      "../../etc/passwd",
      "institutes/../institutes/birch",
      "institutes/birch",
      "a/b",
      "/",
      "-",
      "*",
      "institutes/-/projects/-",
      "providers/-/clusters/-",
      "%2e%2e%2f",
      "..\\..\\x",
      // For whoever formats or reads further.
      "%s%n%x",
      "{}{0}{:>99999999}",
      "${jndi:ldap://a}",
      "{\"a\":[1",
      "- &a [*a]",
      "!!int x",
      "<script>alert(1)</script>",
      "=1+1",
      "1e999",
      "-1",
      "99999999999999999999",
      "0x1f",
      // Nothing, and a lot.
      "",
      "   ",
      std::string(64, 'a'),
      std::string(257, 'a'),
      std::string(501, 'a'),
      std::string(100'000, 'a'),
      std::string(50'000, '/'),
      std::string("\xf0\x9f\x98\x80"),
  };
  return *corpus;
}

constexpr std::array<const char*, 9> kDatabaseWords = {
    "SQLSTATE", "syntax error", "pqxx",   "relation \"", "duplicate key",
    "violates", "invalid byte", "ERROR:", "PostgreSQL"};

/// Without the numbers of repeated fields: "changes[0].drain" is "changes.drain".
std::string WithoutNumbers(const std::string& field) {
  std::string path;
  bool inside = false;
  for (const char c : field) {
    if (c == '[') inside = true;
    if (!inside) path += c;
    if (c == ']') inside = false;
  }
  return path;
}

/// Whether the error is about the text, or about what stands beside it in its message.
bool Names(const std::string& field, const std::string& path) {
  const std::string named = WithoutNumbers(field);
  const std::size_t dot = path.rfind('.');
  const std::string around = dot == std::string::npos ? "" : path.substr(0, dot + 1);
  return path.starts_with(named) || (!around.empty() && named.starts_with(around));
}

class Injection : public MatrixWorld {
 protected:
  void SetUp() override {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    options_.log = std::make_shared<spdlog::logger>("test", sink);
    options_.log->set_pattern("%v");
    MatrixWorld::SetUp();
    log_.str("");
  }

  struct Attempt {
    const MethodRow* row;
    const google::protobuf::MethodDescriptor* method;
    const StringField* field;
    const std::string* text;

    std::string name() const {
      return std::string(row->method) + " " + field->path() + " = \"" +
             Printable(text->substr(0, 60)) + "\"";
    }
  };

  void Wrong(const std::string& what) { wrong_.push_back(what); }

  std::string BytesOf(const Attempt& attempt, bool validate_only, const std::string& text) const {
    const auto request = RequestOf(*attempt.method);
    EXPECT_TRUE(request->ParseFromString(BytesFor(*attempt.row, *attempt.method, Place::kOwn)));
    const auto* flag = request->GetDescriptor()->FindFieldByName("validate_only");
    if (flag != nullptr) request->GetReflection()->SetBool(request.get(), flag, validate_only);
    SetText(*request, *attempt.field, text);
    return request->SerializeAsString();
  }

  /// What is not UTF-8 is put in behind protobuf's back: where two stand-ins first differ.
  std::string BytesWith(const Attempt& attempt, bool validate_only) const {
    const std::string& text = *attempt.text;
    if (IsUtf8(text)) return BytesOf(attempt, validate_only, text);
    std::string bytes = BytesOf(attempt, validate_only, std::string(text.size(), 'a'));
    const std::string other = BytesOf(attempt, validate_only, std::string(text.size(), 'b'));
    const auto at = std::mismatch(bytes.begin(), bytes.end(), other.begin()).first;
    bytes.replace(static_cast<std::size_t>(at - bytes.begin()), text.size(), text);
    return bytes;
  }

  const std::string& KeyOf(const MethodRow& row) const {
    return keys_.at(row.permission == Permission::kEnact ? Role::kProvider : Role::kMinistryAdmin);
  }

  Answer Try(const Attempt& attempt, bool validate_only) {
    Answer answer = Ask(KeyOf(*attempt.row), *attempt.method, BytesWith(attempt, validate_only));
    ++calls_;
    CheckWords(attempt, answer);
    if (answer.status.ok()) return answer;
    const auto code = answer.status.error_code();
    const v1::ErrorInfo info = InfoOf(answer.status);
    if (info.reason().empty() || code == grpc::StatusCode::INTERNAL ||
        code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::UNAVAILABLE) {
      Wrong(attempt.name() + ": " + ReasonOf(answer.status) + " " + answer.status.error_message());
    } else if (code == grpc::StatusCode::INVALID_ARGUMENT &&
               !Names(info.metadata().contains("field") ? info.metadata().at("field") : "?",
                      attempt.field->path())) {
      Wrong(attempt.name() + ": names another field: " + answer.status.error_message());
    }
    return answer;
  }

  /// What goes to people and programs is text on one line, of bounded length, in our own words.
  void CheckWords(const Attempt& attempt, const Answer& answer) {
    const std::string& words = answer.status.error_message();
    if (!IsPlainText(words)) Wrong(attempt.name() + ": the error has control characters");
    if (words.size() > 2'000) Wrong(attempt.name() + ": an error as long as the text");
    for (const char* word : kDatabaseWords) {
      if (words.find(word) != std::string::npos && attempt.text->find(word) == std::string::npos) {
        Wrong(attempt.name() + ": the database speaks: " + words);
      }
    }
    const v1::ErrorInfo info = InfoOf(answer.status);
    for (const auto& [key, value] : info.metadata()) {
      if (!IsPlainText(value)) Wrong(attempt.name() + ": " + key + " has control characters");
    }
  }

  /// What the API says it does not look at: an etag at creation, what an update's mask does not
  /// name, and whom a request that is only thought of would come after.
  static bool IsPassedOver(const Attempt& attempt) {
    static const std::set<std::string> kPassedOver = {"CreateProject project.etag",
                                                      "UpdateProject project.programme",
                                                      "WhatIf changes.submit.request.after"};
    return kPassedOver.contains(attempt.method->name() + " " + attempt.field->path());
  }

  /// A text that was taken comes back as it is.
  void CheckKept(const Attempt& attempt, const Answer& answer) {
    const auto* last = attempt.field->steps.back();
    if (attempt.field->is_output_only() || IsPassedOver(attempt)) return;
    if (!IsPlainText(*attempt.text)) return Wrong(attempt.name() + ": was taken");
    // Compared, not kept.
    if (last->name() == "etag") return;
    const auto kept = TextsIn(*answer.message, *last);
    if (kept.empty() || attempt.text->find_first_not_of(' ') == std::string::npos) return;
    if (std::find(kept.begin(), kept.end(), *attempt.text) == kept.end()) {
      Wrong(attempt.name() + ": became \"" + Printable(kept.front()) + "\"");
    }
  }

  /// Reasons of what can be done again and again stand in the audit as they were given.
  void CheckAudited(const Attempt& attempt) {
    static const std::set<std::string> kAgain = {"SetMerit",     "DrainNode",      "UndrainNode",
                                                 "DrainCluster", "UndrainCluster", "UpdateCluster"};
    if (attempt.field->path() != "reason" || !kAgain.contains(attempt.method->name())) return;
    if (attempt.text->find_first_not_of(' ') == std::string::npos) return;
    if (!IsAudited(*attempt.text)) Wrong(attempt.name() + ": is not in the audit");
  }

  void CheckLog() {
    std::istringstream lines(log_.str());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (json.is_discarded() || !json.contains("call_id") || !IsPlainText(line)) {
        Wrong("a line of the log: " + Printable(line));
      }
    }
    EXPECT_EQ(count, calls_) << "one line of the log for each call";
  }

  std::ostringstream log_;
  std::vector<std::string> wrong_;
  std::size_t calls_ = 0;
};

TEST_F(Injection, EveryTextOfEveryRequestIsRefusedOrKept) {
  const auto methods = AllMethods();
  const std::vector<std::string>& texts = Corpus();
  std::map<std::string, std::vector<StringField>> fields;
  std::vector<Attempt> taken;
  std::size_t cases = 0;
  std::size_t field_count = 0;
  const std::size_t tables = Digests().size();
  // First all of them without an effect, on one and the same world.
  for (const MethodRow& row : MethodRows()) {
    const auto* method = methods.at(std::string(row.method));
    auto& of_method = fields[std::string(row.method)] = StringFieldsOf(*method->input_type());
    field_count += of_method.size();
    for (const StringField& field : of_method) {
      auto before = Digests();
      for (const std::string& text : texts) {
        const Attempt attempt{&row, method, &field, &text};
        ++cases;
        const Answer answer = Try(attempt, /*validate_only=*/true);
        if (answer.status.ok()) {
          CheckKept(attempt, answer);
          if (!field.is_output_only()) taken.push_back(attempt);
          if (row.acts) before = Digests();
          continue;
        }
        // Refused, it is refused in earnest, too.
        const Answer again = Try(attempt, /*validate_only=*/false);
        if (ReasonOf(again.status) != ReasonOf(answer.status)) {
          Wrong(attempt.name() + ": " + ReasonOf(again.status) + ", but as a dry run " +
                ReasonOf(answer.status));
        }
        if (row.acts && Digests() != before) Wrong(attempt.name() + ": refused with an effect");
      }
      if (Digests() != before) {
        Wrong(std::string(row.method) + " " + field.path() + ": refused with an effect");
      }
    }
  }
  // Then those that were taken, in earnest. What they do to each other is not looked at.
  for (const Attempt& attempt : taken) {
    const Answer answer = Try(attempt, /*validate_only=*/false);
    if (!answer.status.ok()) continue;
    CheckKept(attempt, answer);
    CheckAudited(attempt);
  }
  CheckLog();
  EXPECT_EQ(Digests().size(), tables) << "no table is gone, none has come";
  std::string all;
  for (const std::string& what : wrong_) all += "\n  " + what;
  EXPECT_TRUE(wrong_.empty()) << wrong_.size() << all.substr(0, 20'000);
  std::cout << nlohmann::json{{"what", "injection"},     {"messages", methods.size()},
                              {"fields", field_count},   {"strings", texts.size()},
                              {"cases", cases},          {"taken", taken.size()},
                              {"effects", wrong_.size()}}
                   .dump()
            << std::endl;
}

}  // namespace
}  // namespace allot::rpc
