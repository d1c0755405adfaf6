// `allot audit verify` against a server that says what the test wants.

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "allot/base/text.h"
#include "allot/transport/signing.h"
#include "fake_server.h"
#include "run.h"
#include "support/signing.h"
#include "support/temp_dir.h"

namespace allot::cli::testing {
namespace {

using allot::testing::ManualClock;
using allot::testing::SigningKeyFiles;
using allot::testing::TempDir;
using Page = v1::ReadAuditChainResponse;

constexpr int kPageSize = 1'000;

/// An audit of so many entries, a second apart, from the definition.
class Chain {
 public:
  explicit Chain(int count) : hashes_{std::string(64, '0')} {
    for (int number = 1; number <= count; ++number) {
      v1::ChainedAuditEntry entry;
      entry.set_number(number);
      entry.mutable_time()->set_seconds(ManualClock::kStart.seconds() + number);
      entry.set_action("project.create");
      std::string bytes = BytesOfHex(hashes_.back()).value();
      for (const std::string& part :
           {std::to_string(number), std::to_string(entry.time().seconds()) + "000000",
            std::string(), std::string(), entry.action(), std::string(), std::string(),
            std::string(), std::string()}) {
        bytes += std::to_string(part.size()) + ":" + part + ",";
      }
      std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
      SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
      entry.set_hash(Hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
      hashes_.push_back(entry.hash());
      entries_.push_back(entry);
    }
  }

  /// Behind `base`, those after a number, as a page has them.
  Page PageOf(int base, int after) const {
    Page page;
    page.set_base_number(base);
    page.set_base_hash(hash(base));
    page.set_head_number(static_cast<int64_t>(entries_.size()));
    page.set_head_hash(hashes_.back());
    for (int i = after; i < static_cast<int>(entries_.size()) && page.entries_size() < kPageSize;
         ++i) {
      *page.add_entries() = entries_[static_cast<std::size_t>(i)];
    }
    return page;
  }
  const std::string& hash(int number) const { return hashes_[static_cast<std::size_t>(number)]; }

 private:
  std::vector<v1::ChainedAuditEntry> entries_;
  std::vector<std::string> hashes_;
};

class AuditVerify : public ::testing::Test {
 protected:
  v1::AuditCheckpoint Signed(const Chain& chain, int number, Instant at) const {
    const auto key = transport::SigningKey::Read({"key", keys_.key}).value();
    v1::AuditCheckpoint checkpoint;
    checkpoint.set_kind(v1::AuditCheckpoint::KIND_REACHED);
    checkpoint.set_number(number);
    checkpoint.set_hash(chain.hash(number));
    checkpoint.mutable_sign_time()->set_seconds(at.seconds());
    checkpoint.set_signer(key->id());
    checkpoint.set_signature(key->Sign("allot audit reached\n" + std::to_string(number) + "\n" +
                                       chain.hash(number) + "\n" + std::to_string(at.micros) +
                                       "\n"));
    return checkpoint;
  }
  Ran Verify(std::vector<std::string> more = {}) {
    std::vector<std::string> command = {"audit", "verify", "--public-key", keys_.public_half};
    command.insert(command.end(), more.begin(), more.end());
    return runner_.Run(command);
  }

  TempDir dir_;
  SigningKeyFiles keys_{dir_.path(), "audit"};
  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(AuditVerify, SaysFromWhenOnItIsSignedAtAll) {
  const Chain chain(4);
  Page page = chain.PageOf(0, 0);
  const Instant added = ManualClock::kStart + Days(40);
  *page.add_checkpoints() = Signed(chain, 2, added);
  *page.add_checkpoints() = Signed(chain, 4, ManualClock::kStart + Hours(1));
  server_.state.audit_pages = {page};
  const Ran ran = Verify();
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("signed at all since " + FormatRfc3339(added) +
                         ": for the entries up to 2, the first of " +
                         FormatRfc3339(ManualClock::kStart + Seconds{1})),
            std::string::npos)
      << ran.out;
  const auto json = nlohmann::json::parse(Verify({"-o", "json"}).out);
  ASSERT_EQ(json["checkpoints"].size(), 2U);
  EXPECT_EQ(json["checkpoints"][0]["number"], "2");
  EXPECT_EQ(json["checkpoints"][0]["signTime"], FormatRfc3339(added));
  EXPECT_EQ(json["checkpoints"][1]["number"], "4");
}

TEST_F(AuditVerify, AnEndThatWasCutOffIsKnownFromItsCheckpoint) {
  const Chain whole(4);
  const Chain cut(2);
  Page page = cut.PageOf(0, 0);
  *page.add_checkpoints() = Signed(whole, 4, ManualClock::kStart + Hours(1));
  server_.state.audit_pages = {page};
  const Ran ran = Verify();
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.err.find("entries up to 4 were signed, and those from 3 on are missing"),
            std::string::npos)
      << ran.err;
}

// The policy's end moves on while an auditor reads.
TEST_F(AuditVerify, WhatIsRemovedMeanwhileIsNotMissing) {
  const Chain chain(1'502);
  server_.state.audit_pages = {chain.PageOf(0, 0), chain.PageOf(1'500, 1'500)};
  const Ran ran = runner_.Run({"audit", "verify"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("beginning anew"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("2 entries, each as it was written, behind the 1,500"), std::string::npos)
      << ran.out;

  server_.state.audit_pages.clear();
  for (int i = 0; i < 5; ++i) {
    server_.state.audit_pages.push_back(chain.PageOf(0, 0));
    server_.state.audit_pages.push_back(chain.PageOf(1'500, 1'500));
  }
  const Ran never = runner_.Run({"audit", "verify"});
  EXPECT_EQ(never.code, 5);
  EXPECT_NE(never.err.find("audit_moves"), std::string::npos) << never.err;
  EXPECT_EQ(server_.state.audit_pages.size(), 4U) << "three beginnings";
}

}  // namespace
}  // namespace allot::cli::testing
