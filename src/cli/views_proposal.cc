#include <sstream>

#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

Paint PaintOf(v1::Proposal::State state) {
  switch (state) {
    case v1::Proposal::STATE_PENDING:
      return Paint::kWaiting;
    case v1::Proposal::STATE_APPROVED:
      return Paint::kGood;
    default:
      return Paint::kDim;
  }
}

}  // namespace

Table ProposalTable(const Repeated<v1::Proposal>& proposals, Instant now) {
  Table table({{"PROPOSAL"}, {"STATE"}, {"METHOD"}, {"BY"}, {"ASKED"}, {"UNTIL"}});
  for (const v1::Proposal& p : proposals) {
    table.Add({ShortName(p.name()), Cell(Word(p.state()), PaintOf(p.state())), p.method(),
               ShortName(p.proposer()), Moment(InstantOf(p.create_time()), now),
               Moment(InstantOf(p.expire_time()), now)});
  }
  return table;
}

std::string ProposalDetails(const v1::Proposal& proposal, Instant now) {
  std::ostringstream text;
  const auto line = [&text](const char* title, const std::string& value) {
    if (!value.empty()) text << title << Harmless(value) << '\n';
  };
  line("Proposal:  ", ShortName(proposal.name()));
  line("State:     ", Word(proposal.state()));
  line("Method:    ", proposal.method());
  line("Asked by:  ",
       ShortName(proposal.proposer()) + ", " + Moment(InstantOf(proposal.create_time()), now));
  line("Until:     ", Moment(InstantOf(proposal.expire_time()), now));
  if (proposal.has_decide_time()) {
    line("Decided:   ",
         ShortName(proposal.decider()) + ", " + Moment(InstantOf(proposal.decide_time()), now));
    line("Why:       ", proposal.decide_reason());
  }
  if (proposal.has_done_time()) line("Done:      ", Moment(InstantOf(proposal.done_time()), now));
  text << "Asks for:\n";
  std::istringstream lines(proposal.request());
  for (std::string each; std::getline(lines, each);) text << "  " << Harmless(each) << '\n';
  return text.str();
}

}  // namespace allot::cli
