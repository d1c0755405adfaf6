#include "apps/allotd/findings.h"

#include "allot/base/result.h"

namespace allot::allotd {

void PrintFindings(const store::Verification& verification, std::ostream& out) {
  for (const store::Finding& finding : verification.findings) {
    if (finding.violations == 0) continue;
    out << finding.check << ": " << finding.violations << " broken. " << finding.rule << "\n";
    for (const std::string& example : finding.examples) out << "  " << Printable(example) << "\n";
  }
}

nlohmann::ordered_json FindingsAsJson(const store::Verification& verification) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const store::Finding& finding : verification.findings) {
    checks.push_back({{"check", finding.check},
                      {"rule", finding.rule},
                      {"violations", finding.violations},
                      {"examples", finding.examples}});
  }
  return {{"clean", verification.clean()},
          {"revision", verification.revision},
          {"audit_number", verification.audit_number},
          {"audit_hash", verification.audit_hash},
          {"checks", std::move(checks)}};
}

}  // namespace allot::allotd
