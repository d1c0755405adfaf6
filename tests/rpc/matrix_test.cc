// Every method, every role, what is its own and what is another's or nowhere. Who may do what is
// read from the model's table (kGrants), what a method needs from MethodRows(); which methods there
// are from the descriptors.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/control/proposals.h"
#include "rpc/matrix_world.h"

namespace allot::rpc {
namespace {

using Methods = std::map<std::string, const google::protobuf::MethodDescriptor*>;

Reach ReachFor(const MethodRow& row, Role role) {
  if (row.whose != Whose::kReservations) return ReachOf(role, row.permission);
  if (!Holds(role, row.permission)) return Reach::kNone;
  return IsStaff(role) ? Reach::kAll : Reach::kOwn;
}

/// The details of a refusal in an order of their own: maps have none. Without the call's own id.
std::string DetailsOf(const Answer& answer) {
  google::rpc::Status status;
  EXPECT_TRUE(status.ParseFromString(answer.status.error_details()));
  std::string text;
  for (const auto& any : status.details()) {
    text += any.type_url() + "\n";
    if (any.type_url().ends_with("/google.rpc.RequestInfo")) continue;
    const bool is_info = any.type_url().ends_with("/google.rpc.ErrorInfo");
    text += is_info ? InfoOf(answer.status).DebugString() : any.value();
  }
  return text;
}

/// All that an answer shows of itself.
std::string Shown(const Answer& answer) {
  std::string text = std::to_string(answer.status.error_code()) + "\n" +
                     answer.status.error_message() + "\n" + answer.message->DebugString() + "\n";
  for (const auto& [key, value] : answer.trailing) {
    text += key + "\n";
    // One is the details, the other new for every call.
    if (key != "grpc-status-details-bin" && key != "allot-call-id") text += value + "\n";
  }
  return text + DetailsOf(answer);
}

bool IsEmptyList(const google::protobuf::Message& message) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    if (field->is_repeated() && reflection->FieldSize(message, field) > 0) return false;
    if (field->name() == "next_page_token" && !reflection->GetString(message, field).empty()) {
      return false;
    }
  }
  return true;
}

class Matrix : public MatrixWorld {
 protected:
  struct Case {
    std::string name;
    Place place;
    Answer answer;
    std::vector<std::string> statements;
  };

  void Wrong(const std::string& what) { wrong_.push_back(what); }

  std::unique_ptr<google::protobuf::Message> InEarnest(
      const MethodRow& row, const google::protobuf::MethodDescriptor& method);

  std::vector<Case> AskEverywhere(const MethodRow& row,
                                  const google::protobuf::MethodDescriptor& method, Role role) {
    std::vector<Case> cases;
    std::set<std::string> asked;
    for (const Place place : kPlaces) {
      if (!asked.insert(TextFor(row, place)).second) continue;
      tap_->Take();
      Answer answer = Ask(keys_.at(role), method, BytesFor(row, method, place));
      cases.push_back(
          {std::string(row.method) + " as " + std::string(Name(role)) + ", " + NameOf(place), place,
           std::move(answer), tap_->Take()});
    }
    return cases;
  }

  void CheckAnswer(const MethodRow& row, Reach reach, const Case& one) {
    const std::string reason = ReasonOf(one.answer.status);
    const bool exists = one.place == Place::kOwn || one.place == Place::kForeign;
    const bool visible = reach == Reach::kAll ? exists : one.place == Place::kOwn;
    std::string expected(row.answer);
    if (reach == Reach::kNone) {
      expected = "ROLE_INSUFFICIENT";
    } else if (!visible && !row.lists) {
      expected = "NOT_FOUND";
    }
    if (reason != expected) {
      return Wrong(one.name + ": " + reason + " (" + one.answer.status.error_message() +
                   ") instead of " + expected);
    }
    if (row.lists && reason == "OK" && IsEmptyList(*one.answer.message) == visible) {
      Wrong(one.name + (visible ? ": an empty list" : ": a list with something in it"));
    }
  }

  /// Nothing of birch's is in what alder and pinex see, but for names that they gave themselves.
  void CheckSecrets(const Case& one) {
    if (one.place != Place::kOwn && one.place != Place::kOwnAbsent) return;
    if (Shown(one.answer).find(kSecret) != std::string::npos) {
      Wrong(one.name + ": shows what is birch's");
    }
  }

  /// What is not there for the caller and what is nowhere differ in nothing.
  void CheckAlike(const std::vector<Case>& cases, const std::set<Place>& places) {
    const Case* first = nullptr;
    for (const Case& one : cases) {
      if (!places.contains(one.place)) continue;
      if (first == nullptr) {
        first = &one;
        continue;
      }
      if (WithoutNames(Shown(one.answer)) != WithoutNames(Shown(first->answer))) {
        Wrong(one.name + ": does not answer as for " + NameOf(first->place) + ": \"" +
              one.answer.status.error_message() + "\", not \"" +
              first->answer.status.error_message() + "\"");
      }
      if (one.statements != first->statements) {
        Wrong(one.name + ": takes other steps than for " + NameOf(first->place) + ": " +
              Joined(one.statements) + ", not " + Joined(first->statements));
      }
    }
  }

  static std::string Joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
  }

  void Check(const MethodRow& row, const google::protobuf::MethodDescriptor& method, Role role) {
    const Reach reach = ReachFor(row, role);
    const auto before = Digests();
    const std::vector<Case> cases = AskEverywhere(row, method, role);
    cases_ += cases.size();
    for (const Case& one : cases) {
      CheckAnswer(row, reach, one);
      if (reach != Reach::kAll || !IsStaff(role)) CheckSecrets(one);
    }
    // A watch looks for news by itself, as often as it likes.
    if (!method.server_streaming()) {
      using enum Place;
      if (reach == Reach::kNone) {
        CheckAlike(cases, {std::begin(kPlaces), std::end(kPlaces)});
      } else if (reach == Reach::kOwn) {
        CheckAlike(cases, {kForeign, kForeignAbsent, kNowhere});
        CheckAlike(cases, {kDisguised, kDisguisedAbsent});
      }
    }
    const bool may_act = row.acts && reach != Reach::kNone;
    if (!may_act && Digests() != before) {
      Wrong(std::string(row.method) + " as " + std::string(Name(role)) + ": changed something");
    }
  }

  std::vector<std::string> wrong_;
  std::size_t cases_ = 0;
};

/// The row's request about what is the caller's own, not only to be validated.
std::unique_ptr<google::protobuf::Message> Matrix::InEarnest(
    const MethodRow& row, const google::protobuf::MethodDescriptor& method) {
  auto request = RequestOf(method);
  EXPECT_TRUE(request->ParseFromString(BytesFor(row, method, Place::kOwn)));
  request->GetReflection()->SetBool(request.get(),
                                    method.input_type()->FindFieldByName("validate_only"), false);
  return request;
}

TEST_F(Matrix, EveryMethodHasARowAndEveryRowAMethod) {
  const Methods methods = AllMethods();
  std::set<std::string> rows;
  for (const MethodRow& row : MethodRows()) {
    EXPECT_TRUE(rows.insert(std::string(row.method)).second) << row.method << " has two rows";
    EXPECT_TRUE(methods.contains(std::string(row.method))) << row.method << " is no method";
  }
  for (const auto& [name, method] : methods) {
    EXPECT_TRUE(rows.contains(name))
        << name << " has no row in tests/rpc/method_rows.cc: who may call it, and whose is it?";
  }
}

TEST_F(Matrix, ThePageSaysWhatEachCallNeeds) {
  std::map<Permission, std::string> calls;
  for (const MethodRow& row : MethodRows()) {
    std::string& names = calls[row.permission];
    names += (names.empty() ? "`" : ", `") +
             std::string(row.method.substr(row.method.find('/') + 1)) + "`";
  }
  std::string table = "| permission | calls |\n|---|---|\n";
  for (const auto& [permission, names] : calls) {
    table += "| `" + std::string(Name(permission)) + "` | " + names + " |\n";
  }
  std::ifstream file("docs/api.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(table), std::string::npos)
      << "docs/api.md, \"Who may do what\", must have exactly this table:\n"
      << table;
}

TEST_F(Matrix, NobodySeesOrChangesWhatIsAnothers) {
  const Methods methods = AllMethods();
  for (const MethodRow& row : MethodRows()) {
    const auto method = methods.find(std::string(row.method));
    if (method == methods.end()) continue;
    for (const auto& [role, key] : keys_) Check(row, *method->second, role);
  }
  std::string all;
  for (const std::string& what : wrong_) all += "\n  " + what;
  EXPECT_TRUE(wrong_.empty()) << all;
  std::cout << nlohmann::json{{"what", "authorisation"},
                              {"methods", methods.size()},
                              {"roles", keys_.size()},
                              {"cases", cases_},
                              {"leaks", wrong_.size()}}
                   .dump()
            << std::endl;
}

// Of all that may need a second person, only what speaks for itself (who is let in, and which
// projects there are) needs no word from staff.
TEST_F(Matrix, WhatStaffTakeFromOthersNeedsAReason) {
  static const std::set<std::string_view> kSpeakForThemselves = {
      "CreateApiKey", "CreateMember", "CreateProject", "RotateApiKey", "UpdateProject"};
  const Methods methods = AllMethods();
  for (const std::string_view name : control::kMethodsForTwo) {
    if (kSpeakForThemselves.contains(name)) continue;
    const auto row = std::ranges::find_if(MethodRows(), [&](const MethodRow& each) {
      return each.method.ends_with("/" + std::string(name));
    });
    ASSERT_NE(row, MethodRows().end()) << name;
    const auto& method = *methods.at(std::string(row->method));
    const auto request = InEarnest(*row, method);
    const auto* reason = method.input_type()->FindFieldByName("reason");
    ASSERT_NE(reason, nullptr) << name;
    request->GetReflection()->ClearField(request.get(), reason);
    const auto before = Digests();
    const Answer answer = Ask(operator_key_, method, request->SerializeAsString());
    EXPECT_EQ(ReasonOf(answer.status), "FIELD_REQUIRED") << name;
    EXPECT_EQ(InfoOf(answer.status).metadata().at("field"), "reason") << name;
    EXPECT_EQ(Digests(), before) << name;
  }
}

// Whatever an installation may name in `second_person` is put before a second person, and nothing
// else of it is done.
TEST_F(Matrix, EveryMethodForTwoWaitsForASecondPerson) {
  const Methods methods = AllMethods();
  for (const std::string_view name : control::kMethodsForTwo) {
    const auto row = std::ranges::find_if(MethodRows(), [&](const MethodRow& each) {
      return each.method.ends_with("/" + std::string(name)) && each.answer == "OK";
    });
    if (row == MethodRows().end()) continue;
    context_->for_two = {{std::string(name), Days(1)}};
    const auto& method = *methods.at(std::string(row->method));
    const auto request = InEarnest(*row, method);
    const auto before = Digests();
    const Answer answer = Ask(operator_key_, method, request->SerializeAsString());
    EXPECT_EQ(ReasonOf(answer.status), "SECOND_PERSON_REQUIRED") << name;
    for (const auto& [table, digest] : Digests()) {
      if (table == "proposals" || table.starts_with("audit_")) continue;
      EXPECT_EQ(digest, before.at(table)) << name << " changed " << table;
    }
  }
}

}  // namespace
}  // namespace allot::rpc
