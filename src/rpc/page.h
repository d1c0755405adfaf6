#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "allot/base/result.h"
#include "rpc/fields.h"

namespace allot::rpc {

/// Where the next page of a list begins. Goes to the caller as an opaque token.
struct PagePosition {
  /// The last item of the page before; empty for the first page.
  std::string after;
  /// Kept through all pages of a list that states one.
  int64_t revision = 0;

  friend bool operator==(const PagePosition&, const PagePosition&) = default;
};

/// `scope` names the list: a token opens no other.
std::string MakePageToken(const PagePosition& position, std::string_view scope);
/// page_token_unknown for every text that MakePageToken did not make for `scope`.
Result<PagePosition> ParsePageToken(const std::string& token, std::string_view scope);

/// What a List request asks for.
struct PageQuery {
  int size = kPageSizeDefault;
  PagePosition position;
  std::string scope;
};
/// The scope is everything but the page: method, parent and filters. Requires: `request` has
/// page_size and page_token.
Result<PageQuery> ParsePage(const google::protobuf::Message& request);

}  // namespace allot::rpc
