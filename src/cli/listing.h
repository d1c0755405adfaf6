#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cli/client.h"

namespace allot::cli {

inline constexpr int kPageSize = 1'000;

/// All pages of a list as one answer, or its first `limit` items at least. `count` counts an
/// answer's items.
template <class Service, class Request, class Response, class Count>
Outcome<Response> ListAll(Client& client, Method<Service, Request, Response> method,
                          std::type_identity_t<Request> request, const Count& count,
                          int64_t limit = std::numeric_limits<int64_t>::max()) {
  Response all;
  do {
    request.set_page_size(
        static_cast<int>(std::min<int64_t>(kPageSize, limit - static_cast<int64_t>(count(all)))));
    request.set_page_token(all.next_page_token());
    all.clear_next_page_token();
    const Outcome<Response> page = client.Call(method, request);
    if (!page.ok()) return page.failure();
    if (!page->next_page_token().empty() && page->next_page_token() == request.page_token()) {
      return Malformed("a page says that it comes next itself");
    }
    all.MergeFrom(*page);
  } while (!all.next_page_token().empty() && static_cast<int64_t>(count(all)) < limit);
  all.clear_next_page_token();
  return all;
}

}  // namespace allot::cli
