#include "oidc/http.h"

#include <curl/curl.h>

#include <array>
#include <memory>

#include "allot/oidc/issuer.h"

namespace allot::oidc {
namespace {

constexpr std::size_t kBodyBytesMax = std::size_t{256} * 1024;
constexpr long kConnectMs = 5'000;
constexpr long kWholeMs = 10'000;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

/// Before the first handle, and once.
bool Ready() {
  static const bool kReady = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kReady;
}

std::size_t Take(const char* data, std::size_t one, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  const std::size_t bytes = one * count;
  if (text.size() + bytes > kBodyBytesMax) return 0;
  text.append(data, bytes);
  return bytes;
}

int MayGoOn(void* give_up, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(give_up)->load() ? 1 : 0;
}

std::string Encoded(CURL* curl, const Form& form) {
  std::string text;
  for (const auto& [name, value] : form) {
    char* const encoded = curl_easy_escape(curl, value.data(), static_cast<int>(value.size()));
    text += (text.empty() ? "" : "&") + name + "=" + (encoded == nullptr ? "" : encoded);
    curl_free(encoded);
  }
  return text;
}

/// `form` is null for a GET.
Result<HttpAnswer> Call(const std::string& url, const Form* form, const HttpOptions& options) {
  if (!IsAllowedUrl(url)) {
    return StateError(Reason::kIssuerUnavailable,
                      Printable(url) + " is neither https nor of this machine");
  }
  const Handle handle(Ready() ? curl_easy_init() : nullptr, curl_easy_cleanup);
  CURL* const curl = handle.get();
  if (curl == nullptr) return StateError(Reason::kInternal, "libcurl does not start");
  HttpAnswer answer;
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // What stays on this machine may be in plain text, and so goes through nobody.
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.0/8,::1");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kWholeMs);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "allot");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
    // Or the machine's own authorities would be believed beside it.
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  }
  if (options.give_up != nullptr) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, MayGoOn);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, options.give_up);
  }
  std::string body;
  if (form != nullptr) {
    body = Encoded(curl, *form);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  }
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    const std::string words = problem[0] != '\0' ? problem.data() : curl_easy_strerror(code);
    const bool is_stranger = code == CURLE_PEER_FAILED_VERIFICATION && options.ca_file.empty();
    return StateError(Reason::kIssuerUnavailable,
                      url + ": " + Printable(words) +
                          (is_stranger ? "; for an authority of your own name its certificate: "
                                         "'allot login --issuer-ca-file', or ca_file of the issuer "
                                         "in allotd's configuration"
                                       : ""));
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace

Result<HttpAnswer> HttpGet(const std::string& url, const HttpOptions& options) {
  return Call(url, nullptr, options);
}

Result<HttpAnswer> HttpPost(const std::string& url, const Form& form, const HttpOptions& options) {
  return Call(url, &form, options);
}

}  // namespace allot::oidc
