// What an agent remembers on disk: the record of an enactment, and the inventory. What is read is
// written back byte for byte as an agent would write it.
#include <string>

#include "agent/enactment_file.h"
#include "agent/inventory_file.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

void CheckEnactment(std::string_view text) {
  const auto enactment = agent::ParseEnactment(text, "a.json");
  if (!enactment.ok()) {
    RequireShowable(enactment.error());
    Require(enactment.error().message.starts_with("a.json is damaged"), "it names the file");
    return;
  }
  Require(enactment->attempt >= 1 && enactment->epoch >= 0, "attempts and epochs count up");
  const std::string name = agent::EnactmentFileName(enactment->allocation, enactment->attempt);
  Require(name.find('/') == std::string::npos && name.front() != '.', "the file is in its folder",
          name);
  const std::string written = agent::RenderEnactment(*enactment);
  const auto again = agent::ParseEnactment(written, "b.json");
  Require(again.ok() && *again == *enactment, "an enactment comes back", written);
}

void CheckInventory(std::string_view text) {
  const auto inventory = agent::ParseInventory(text);
  if (!inventory) return;
  Require(inventory->generation >= 0, "generations count up");
  Require(agent::ParseInventory(agent::RenderInventory(*inventory)) == inventory,
          "an inventory comes back", text);
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text = allot::fuzz::TextOf(data, size);
  allot::fuzz::CheckEnactment(text);
  allot::fuzz::CheckInventory(text);
  return 0;
}
