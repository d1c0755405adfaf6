// An order as it comes to a provider's agent: its ids become names of files, and its nodes are
// handed over. The agent of "pinec" takes it field by field or refuses it by field. An input is the
// message's bytes, or "#text" and its text form.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "agent/enactment_file.h"
#include "agent/order_message.h"
#include "allot/model/name.h"
#include "fuzz/support/message_mutator.h"
#include "fuzz/support/message_text.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

bool Read(std::string_view data, v1::Order& message) {
  const auto bytes = BytesOf(message, data);
  return bytes && message.ParseFromString(*bytes);
}

void CheckOrder(const Order& order) {
  Require(!order.id.empty() && order.id.str().find('/') == std::string::npos, "an id is one part",
          order.id.str());
  Require(ParseAllocationId(order.allocation.str()).has_value(), "it is about an allocation");
  Require(order.attempt >= 1 && order.epoch >= 0, "attempts and epochs count up");
  Require(!order.nodes.empty(), "there are nodes");
  const OrderedNode* before = nullptr;
  for (const OrderedNode& node : order.nodes) {
    Require(ParseNodeId(node.node.str()).has_value() && ClusterOf(node.node) == order.cluster &&
                node.gpus != 0,
            "GPUs of a node of the cluster", node.node.str());
    Require(before == nullptr || before->node < node.node, "each node once", node.node.str());
    before = &node;
  }
  for (const Instant time : {order.window.start(), order.window.end(), order.create_time}) {
    Require(time.micros >= 0 && time <= kEndOfTime, "times can be written down");
  }
}

/// What is remembered of it is read again as it was.
void CheckEnactment(const Order& order) {
  const agent::Enactment enactment{.allocation = order.allocation,
                                   .attempt = order.attempt,
                                   .state = agent::EnactmentState::kProvisioning,
                                   .epoch = order.epoch,
                                   .order = order.id,
                                   .nodes = order.nodes,
                                   .window = order.window,
                                   .update_time = order.create_time,
                                   .message = ""};
  const std::string written = agent::RenderEnactment(enactment);
  const auto again = agent::ParseEnactment(written, "a.json");
  Require(again.ok() && *again == enactment, "an order's record comes back", written);
}

const std::array<std::string, 14> kWords = {"providers/pinex/clusters/pinec/orders/o1",
                                            "providers/pinex/clusters/pinec/orders/",
                                            "providers/pinex/clusters/pinec/orders/../o1",
                                            "providers/teakx/clusters/pinec/orders/o1",
                                            "institutes/alder/projects/projx/allocations/runx1",
                                            "institutes/alder/projects/projx/allocations/..",
                                            "institutes/alder/projects/projx",
                                            "providers/pinex/clusters/pinec/nodes/n1",
                                            "providers/pinex/clusters/pinec/nodes/n2",
                                            "providers/pinex/clusters/pinec/nodes/",
                                            "providers/teakx/clusters/teakc/nodes/n1",
                                            "",
                                            "\x01",
                                            "연구"};

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot;
  v1::Order message;
  if (!fuzz::Read(fuzz::TextOf(data, size), message)) return -1;
  const auto order = agent::ParseOrder(message, ProviderId("pinex"), ClusterId("pinec"));
  if (!order.ok()) {
    fuzz::RequireOfField(order.error());
    return 0;
  }
  fuzz::CheckOrder(*order);
  fuzz::CheckEnactment(*order);
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  using namespace allot;
  fuzz::Random random(seed);
  v1::Order message;
  if (!fuzz::Read(fuzz::TextOf(data, size), message)) message.Clear();
  for (std::size_t i = 1 + fuzz::Pick(random, 3); i > 0; --i) {
    fuzz::Mutate(message, fuzz::kWords, random);
  }
  const std::string bytes = message.SerializeAsString();
  if (bytes.size() > max_size) return size;
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}
