#include "cli/role.h"

namespace allot::cli {

Outcome<v1::Role> ReadRole(const std::string& text, const char* words) {
  std::string name = "ROLE_" + text;
  for (char& c : name) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
  }
  v1::Role role{};
  if (!v1::Role_Parse(name, &role) || role == v1::ROLE_UNSPECIFIED) {
    return FailureOf(FieldError(Reason::kEnumUnknown, "--role", Printable(text), words));
  }
  return role;
}

}  // namespace allot::cli
