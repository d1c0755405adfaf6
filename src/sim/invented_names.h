#pragma once

#include <span>
#include <string_view>

#include "allot/model/tenant.h"

namespace allot::sim {

/// A word or a phrase for ids, for English and for Korean readers.
struct Wording {
  std::string_view slug;
  std::string_view english;
  std::string_view korean;
};

/// First words of institutes: plain Korean words, nobody's name on purpose.
std::span<const Wording> InstituteWords();
/// What follows the first word: "University", "Robotics", "Research Institute".
std::span<const Wording> InstituteKinds(Sector sector);
/// What projects work on.
std::span<const Wording> ProjectTopics(Sector sector);

}  // namespace allot::sim
