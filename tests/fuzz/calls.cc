// Every method of the API, as the server runs it behind gRPC: the bytes of a request by a caller of
// some role, through the handlers and control to a store in memory. An input is a line "ROLE
// Service/Method", then the bytes; or "#text" and the request in protobuf's text form.
//
// What is refused names a field of the request and has changed nothing; nor has what is only
// validated. What is accepted is a response, and the same call with the same request_id has the
// same answer and changes nothing more.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "allot/v1/operator_service.pb.h"
#include "fuzz/support/message_mutator.h"
#include "fuzz/support/message_text.h"
#include "fuzz/support/nation.h"
#include "fuzz/support/property.h"
#include "rpc/method_rows.h"

namespace allot::fuzz {
namespace {

namespace pb = google::protobuf;

constexpr std::array kRoles = {Role::kMinistryAdmin,  Role::kOperator, Role::kAuditor,
                               Role::kInstituteAdmin, Role::kMember,   Role::kViewer,
                               Role::kProvider};

struct Input {
  Role role = Role::kOperator;
  const pb::MethodDescriptor* method = nullptr;
  std::string bytes;
};

const pb::MethodDescriptor* FindMethod(std::string_view name) {
  std::string full = "allot.v1." + std::string(name);
  std::replace(full.begin(), full.end(), '/', '.');
  return pb::DescriptorPool::generated_pool()->FindMethodByName(full);
}

std::unique_ptr<pb::Message> New(const pb::Descriptor* type) {
  return std::unique_ptr<pb::Message>(
      pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

std::optional<Input> Read(std::string_view data) {
  const std::size_t end = data.find('\n');
  const std::size_t space = data.substr(0, end).find(' ');
  if (end == std::string_view::npos || space == std::string_view::npos) return std::nullopt;
  const auto role = ParseRole(data.substr(0, space));
  const auto* method = FindMethod(data.substr(space + 1, end - space - 1));
  if (!role || method == nullptr) return std::nullopt;
  data.remove_prefix(end + 1);
  auto bytes = BytesOf(*New(method->input_type()), data);
  if (!bytes) return std::nullopt;
  return Input{.role = *role, .method = method, .bytes = *std::move(bytes)};
}

std::string Written(const Input& input) {
  return std::string(Name(input.role)) + ' ' + input.method->service()->name() + '/' +
         input.method->name() + '\n' + input.bytes;
}

/// The one that calls are made in; a call that changed it was its last.
std::unique_ptr<Nation>& TheNation() {
  static std::unique_ptr<Nation> nation;
  if (!nation) nation = std::make_unique<Nation>();
  return nation;
}

/// A request that is sound, by the table that the tests of every method go by.
Input SoundInput(Random& random) {
  const auto rows = rpc::MethodRows();
  const rpc::MethodRow& row = rows[Pick(random, rows.size())];
  Input input{.role = OneIn(random, 4)                       ? kRoles[Pick(random, kRoles.size())]
                      : row.permission == Permission::kEnact ? Role::kProvider
                                                             : Role::kMinistryAdmin,
              .method = FindMethod(row.method),
              .bytes = {}};
  Require(input.method != nullptr, "a row has a method", row.method);
  std::string text = std::string(kTextMark) + std::string(row.request);
  // The longer of two that begin alike first.
  const auto& words = TheNation()->words();
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    for (std::size_t at = text.find(word->first); at != std::string::npos;
         at = text.find(word->first, at)) {
      text.replace(at, word->first.size(), word->second);
    }
  }
  const auto bytes = BytesOf(*New(input.method->input_type()), text);
  Require(bytes.has_value(), "a row's request can be read", text);
  input.bytes = *bytes;
  return input;
}

/// Texts that are names of something, and some that break things.
const std::vector<std::string>& Words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words = {"",
                                      "-",
                                      "*",
                                      "a",
                                      "current",
                                      "call",
                                      "fresh",
                                      "1",
                                      "2",
                                      "req-1",
                                      "req-2",
                                      "gpu_seconds",
                                      "open",
                                      "merit",
                                      "display_name",
                                      "programmes",
                                      "concurrent_gpus",
                                      "institutes/-",
                                      "institutes/-/projects/-",
                                      "institutes/alder/projects/-",
                                      "institutes/birch/projects/projx",
                                      "institutes/alder/projects/projx/quota",
                                      "providers/-",
                                      "providers/-/clusters/-",
                                      "providers/teakx/clusters/pinec",
                                      "providers/pinex/clusters/pinec/nodes/n2",
                                      "policies/current",
                                      "policies/fresh",
                                      "pinex",
                                      "pinec",
                                      "nodex",
                                      "n2",
                                      "alder",
                                      "projx",
                                      "연구",
                                      "\x01",
                                      "a\nb",
                                      "\xe2\x80\xae",
                                      "'; --",
                                      std::string(64, 'a'),
                                      std::string(600, 'x')};
    for (const auto& [word, text] : TheNation()->words()) {
      if (text.size() < 200) words.push_back(text);
    }
    return words;
  }();
  return kWords;
}

/// Whether `path` ("allocation.request.models[1]") is a field of the message.
bool IsFieldOf(const pb::Descriptor& type, std::string_view path) {
  const std::size_t dot = std::min(path.find('.'), path.size());
  const std::string_view step = path.substr(0, dot);
  const std::size_t bracket = std::min(step.find('['), step.size());
  const auto* field = type.FindFieldByName(std::string(step.substr(0, bracket)));
  if (field == nullptr || (bracket < step.size() && !field->is_repeated())) return false;
  if (dot == path.size()) return true;
  return field->message_type() != nullptr &&
         IsFieldOf(*field->message_type(), path.substr(dot + 1));
}

void RequireRefusal(const Input& input, const Error& error) {
  RequireShowable(error);
  Require(error.reason != Reason::kInternal, "nobody's request is a fault of the server",
          error.message);
  // Elsewhere it may be of what the request is about, such as its state.
  if (CodeOf(error.reason) != Code::kInvalidArgument || error.field.empty()) return;
  Require(IsFieldOf(*input.method->input_type(), error.field), "the field is one of the request",
          Describe(error));
}

std::unique_ptr<pb::Message> RequireResponse(const Input& input, const std::string& bytes) {
  auto response = New(input.method->output_type());
  Require(response->ParseFromString(bytes), "a response can be read");
  return response;
}

bool GivenBool(const pb::Message& request, const char* name) {
  const auto* field = request.GetDescriptor()->FindFieldByName(name);
  return field != nullptr && request.GetReflection()->GetBool(request, field);
}

bool GivenText(const pb::Message& request, const char* name) {
  const auto* field = request.GetDescriptor()->FindFieldByName(name);
  return field != nullptr && !request.GetReflection()->GetString(request, field).empty();
}

/// Without what is shown only once.
std::string WithoutSecret(std::unique_ptr<pb::Message> response) {
  const auto* secret = response->GetDescriptor()->FindFieldByName("secret");
  if (secret != nullptr) response->GetReflection()->ClearField(response.get(), secret);
  return response->SerializeAsString();
}

void CheckRepeat(Nation& nation, const Input& input, std::unique_ptr<pb::Message> first) {
  const Nation::Mark before = nation.mark();
  const auto answer = nation.Call(input.role, *input.method, input.bytes);
  Require(answer.ok(), "a repeat is answered", answer.ok() ? "" : Describe(answer.error()));
  Require(WithoutSecret(RequireResponse(input, *answer)) == WithoutSecret(std::move(first)),
          "a repeat is answered alike", input.method->name());
  Require(nation.mark() == before, "a repeat changes nothing", input.method->name());
}

void CheckCall(const Input& input) {
  std::unique_ptr<Nation>& nation = TheNation();
  const Nation::Mark before = nation->mark();
  const auto answer = nation->Call(input.role, *input.method, input.bytes);
  const bool changed = nation->mark() != before;
  if (!answer.ok()) {
    RequireRefusal(input, answer.error());
    Require(!changed, "what is refused changes nothing", Describe(answer.error()));
    return;
  }
  auto response = RequireResponse(input, *answer);
  const auto request = New(input.method->input_type());
  Require(request->ParseFromString(input.bytes), "what is accepted is a request");
  const bool only_validated = GivenBool(*request, "validate_only");
  if (only_validated) Require(!changed, "what is validated changes nothing", input.method->name());
  if (!only_validated && GivenText(*request, "request_id")) {
    CheckRepeat(*nation, input, std::move(response));
  }
  if (changed) nation.reset();
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto input = allot::fuzz::Read(allot::fuzz::TextOf(data, size));
  if (!input) return -1;
  allot::fuzz::CheckCall(*input);
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  using namespace allot::fuzz;
  Random random(seed);
  auto input = Read(TextOf(data, size));
  if (!input || OneIn(random, 8)) input = SoundInput(random);
  if (OneIn(random, 16)) input->role = kRoles[Pick(random, kRoles.size())];
  if (OneIn(random, 6)) {
    const std::size_t length = input->bytes.size();
    input->bytes.resize(length + 64);
    input->bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(input->bytes.data()), length,
                                         input->bytes.size()));
  } else {
    const auto request = New(input->method->input_type());
    request->ParseFromString(input->bytes);
    for (std::size_t i = Pick(random, 4); i > 0; --i) Mutate(*request, Words(), random);
    input->bytes = request->SerializeAsString();
  }
  const std::string written = Written(*input);
  if (written.size() > max_size) return size;
  std::memcpy(data, written.data(), written.size());
  return written.size();
}
