// What a caller hands back of what the server gave it: page tokens, etags, and the base64url they
// are in. A token opens the list it was made for and nothing else; each is written in one way only.
#include <limits>
#include <string>

#include "fuzz/support/property.h"
#include "rpc/bytes.h"
#include "rpc/fields.h"
#include "rpc/page.h"

namespace allot::fuzz {
namespace {

constexpr std::string_view kScope = "allot.v1.ListAllocationsRequest";

void CheckToken(const std::string& text) {
  const auto position = rpc::ParsePageToken(text, kScope);
  if (!position.ok()) {
    RequireOfField(position.error());
    Require(position.error().reason == Reason::kPageTokenUnknown, "it is page_token_unknown");
    return;
  }
  Require(text.empty() || rpc::MakePageToken(*position, kScope) == text, "a token is made so",
          text);
}

void CheckMadeToken(const std::string& after) {
  const rpc::PagePosition position{.after = after,
                                   .revision = after.size() % 2 == 0
                                                   ? std::numeric_limits<int64_t>::min()
                                                   : std::numeric_limits<int64_t>::max()};
  const std::string token = rpc::MakePageToken(position, kScope);
  const auto opened = rpc::ParsePageToken(token, kScope);
  Require(opened.ok() && *opened == position, "a token opens", token);
  Require(!rpc::ParsePageToken(token, "another list").ok(), "a token opens no other list", token);
  std::string forged = token;
  forged[after.size() % forged.size()] ^= 1;
  Require(!rpc::ParsePageToken(forged, kScope).ok(), "a token that was changed opens nothing",
          forged);
}

void CheckBase64(const std::string& text) {
  const std::string encoded = rpc::EncodeBase64Url(text);
  Require(rpc::DecodeBase64Url(encoded) == text, "bytes come back", encoded);
  if (const auto bytes = rpc::DecodeBase64Url(text)) {
    Require(rpc::EncodeBase64Url(*bytes) == text, "base64url is written one way", text);
  }
}

void CheckFields(const std::string& text) {
  const auto version = rpc::ParseEtag(text, "etag");
  if (!version.ok()) RequireOfField(version.error());
  if (version.ok() && !text.empty()) {
    Require(*version >= 1 && rpc::EtagOf(*version) == text, "an etag is written one way", text);
  }
  const auto id = rpc::ParseRequestId(text);
  if (!id.ok()) RequireOfField(id.error());
  if (id.ok()) Require(id->size() <= 64, "a request_id is short", *id);
  const auto said = rpc::ParseText(text, "reason");
  if (!said.ok()) RequireOfField(said.error());
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(allot::fuzz::TextOf(data, size));
  allot::fuzz::CheckToken(text);
  allot::fuzz::CheckMadeToken(text);
  allot::fuzz::CheckBase64(text);
  allot::fuzz::CheckFields(text);
  return 0;
}
