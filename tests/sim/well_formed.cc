#include "sim/well_formed.h"

#include <set>
#include <vector>

#include "allot/base/text.h"

namespace allot::sim {
namespace {

constexpr std::string_view kSpace = " \n";
constexpr std::string_view kNameLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

/// Reads a page from left to right and remembers the first thing that is wrong.
class Reader {
 public:
  explicit Reader(std::string_view page) : rest_(page) {}

  std::optional<std::string> Read() {
    Take("<!DOCTYPE html>\n");
    while (!wrong_ && !rest_.empty()) {
      if (rest_.front() == '<') {
        Tag();
      } else {
        Content(rest_.substr(0, rest_.find('<')), false);
      }
    }
    if (!wrong_ && !open_.empty()) Wrong("never closed: " + open_.back());
    if (!wrong_ && roots_ != 1) Wrong("not one root");
    return wrong_;
  }

 private:
  void Wrong(const std::string& what) {
    if (!wrong_) wrong_ = what + " before: " + std::string(rest_.substr(0, 60));
  }

  bool Take(std::string_view text) {
    if (!rest_.starts_with(text)) {
      Wrong("no " + std::string(text));
      return false;
    }
    rest_.remove_prefix(text.size());
    return true;
  }

  std::string Name() {
    const std::size_t length = std::min(rest_.find_first_not_of(kNameLetters), rest_.size());
    if (length == 0) Wrong("no name");
    std::string name(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return name;
  }

  void Tag() {
    if (rest_.starts_with("</")) {
      Take("</");
      const std::string name = Name();
      if (open_.empty() || open_.back() != name) return Wrong("closes what is not open: " + name);
      open_.pop_back();
      Take(">");
      return;
    }
    Take("<");
    const std::string name = Name();
    if (open_.empty()) ++roots_;
    while (!wrong_ && rest_.starts_with(" ")) Attribute();
    if (rest_.starts_with("/>")) {
      Take("/>");
    } else if (Take(">")) {
      open_.push_back(name);
    }
  }

  void Attribute() {
    Take(" ");
    const std::string name = Name();
    if (!Take("=\"")) return;
    const std::string_view value = rest_.substr(0, rest_.find('"'));
    if (value.find('<') != std::string_view::npos) return Wrong("< in the value of " + name);
    if (name == "id" && !ids_.emplace(value).second) return Wrong("twice: " + std::string(value));
    Content(value, true);
    Take("\"");
  }

  void Content(std::string_view text, bool in_attribute) {
    if (open_.empty() && !in_attribute &&
        text.find_first_not_of(kSpace) != std::string_view::npos) {
      return Wrong("text outside of the root");
    }
    while (!text.empty()) {
      const auto character = FirstCharacter(text);
      if (!character) return Wrong("not UTF-8");
      if (IsControl(character->code_point) && text.front() != '\n')
        return Wrong("control character");
      std::size_t taken = character->bytes;
      if (text.front() == '&') {
        taken = 0;
        for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) {
          if (text.starts_with(known)) taken = known.size();
        }
        if (taken == 0) return Wrong("unknown reference");
      }
      text.remove_prefix(taken);
      rest_.remove_prefix(taken);
    }
  }

  std::string_view rest_;
  std::vector<std::string> open_;
  std::set<std::string, std::less<>> ids_;
  int roots_ = 0;
  std::optional<std::string> wrong_;
};

}  // namespace

std::optional<std::string> WhatIsMalformed(std::string_view page) { return Reader(page).Read(); }

}  // namespace allot::sim
