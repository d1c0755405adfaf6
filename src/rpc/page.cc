#include "rpc/page.h"

#include <charconv>
#include <memory>
#include <optional>
#include <system_error>

#include <google/protobuf/descriptor.h>

#include "allot/base/check.h"
#include "allot/control/identity.h"
#include "rpc/bytes.h"

namespace allot::rpc {
namespace {

/// A checksum against mistakes, not a signature: whoever forges a token sees what List shows him
/// anyway.
constexpr std::size_t kChecksumLength = 16;

std::string Checksum(std::string_view payload, std::string_view scope) {
  std::string text(scope);
  text += '\0';
  text += payload;
  return control::Sha256Hex(text).substr(0, kChecksumLength);
}

std::optional<PagePosition> Open(const std::string& token, std::string_view scope) {
  const auto opened = DecodeBase64Url(token);
  if (!opened || opened->size() < kChecksumLength) return std::nullopt;
  const std::string_view payload = std::string_view(*opened).substr(kChecksumLength);
  if (opened->substr(0, kChecksumLength) != Checksum(payload, scope)) return std::nullopt;
  const auto space = payload.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  PagePosition position;
  const auto [rest, error] =
      std::from_chars(payload.data(), payload.data() + space, position.revision);
  if (error != std::errc() || rest != payload.data() + space) return std::nullopt;
  position.after = payload.substr(space + 1);
  return position;
}

}  // namespace

std::string MakePageToken(const PagePosition& position, std::string_view scope) {
  const std::string payload = std::to_string(position.revision) + ' ' + position.after;
  return EncodeBase64Url(Checksum(payload, scope) + payload);
}

Result<PagePosition> ParsePageToken(const std::string& token, std::string_view scope) {
  if (token.empty()) return PagePosition{};
  auto position = Open(token, scope);
  if (!position) {
    return FieldError(Reason::kPageTokenUnknown, "page_token", token,
                      "next_page_token of a page of this list");
  }
  return *std::move(position);
}

Result<PageQuery> ParsePage(const google::protobuf::Message& request) {
  const auto* size_field = request.GetDescriptor()->FindFieldByName("page_size");
  const auto* token_field = request.GetDescriptor()->FindFieldByName("page_token");
  ALLOT_CHECK(size_field != nullptr && token_field != nullptr);
  const auto* reflection = request.GetReflection();
  const std::unique_ptr<google::protobuf::Message> list(request.New());
  list->CopyFrom(request);
  reflection->ClearField(list.get(), size_field);
  reflection->ClearField(list.get(), token_field);

  PageQuery query;
  query.scope = request.GetDescriptor()->full_name() + '\0' + DeterministicBytes(*list);
  ALLOT_ASSIGN_OR_RETURN(
      query.size, ParseCount(reflection->GetInt32(request, size_field), kPageSizeMax, "page_size"));
  ALLOT_ASSIGN_OR_RETURN(query.position,
                         ParsePageToken(reflection->GetString(request, token_field), query.scope));
  return query;
}

}  // namespace allot::rpc
