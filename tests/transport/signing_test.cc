#include "allot/transport/signing.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/process.h"
#include "support/signing.h"
#include "support/temp_dir.h"

namespace allot::transport {
namespace {

class Signing : public ::testing::Test {
 protected:
  std::shared_ptr<const SigningKey> Private(const std::string& file) const {
    return SigningKey::Read({"key", file}).value();
  }
  std::shared_ptr<const VerifyingKey> Public(const std::string& file) const {
    return VerifyingKey::Read({"public", file}).value();
  }

  testing::TempDir dir_;
  testing::SigningKeyFiles mine_{dir_.path(), "mine"};
  testing::SigningKeyFiles other_{dir_.path(), "other"};
};

TEST_F(Signing, WhatIsSignedIsKnownByThePublicHalfAlone) {
  const auto key = Private(mine_.key);
  const std::string signature = key->Sign("text");
  EXPECT_EQ(signature.size(), 128U);
  EXPECT_EQ(key->id(), Public(mine_.public_half)->id());
  EXPECT_NE(key->id(), Public(other_.public_half)->id());
  EXPECT_TRUE(Public(mine_.public_half)->Signed("text", signature));
  EXPECT_FALSE(Public(mine_.public_half)->Signed("texts", signature));
  EXPECT_FALSE(Public(other_.public_half)->Signed("text", signature));
  for (const std::string& wrong : {std::string(), std::string(128, 'z'), signature.substr(2),
                                   signature + "00", std::string(128, '0')}) {
    EXPECT_FALSE(Public(mine_.public_half)->Signed("text", wrong)) << wrong;
  }
}

// As docs/operator.md tells auditors to.
TEST_F(Signing, AnybodyCanCheckItWithOpenssl) {
  std::ofstream(dir_ / "text") << "allot audit reached\n1\n";
  const std::string hex = Private(mine_.key)->Sign("allot audit reached\n1\n");
  std::ofstream signature(dir_ / "signature", std::ios::binary);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    signature.put(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  signature.close();
  const auto ended =
      testing::RunToEnd({"openssl", "pkeyutl", "-verify", "-pubin", "-inkey", mine_.public_half,
                         "-rawin", "-in", dir_ / "text", "-sigfile", dir_ / "signature"});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
}

TEST_F(Signing, AFileThatCannotBeSignedWithIsRefused) {
  std::ofstream(dir_ / "empty");
  for (const std::string& file : {std::string(dir_ / "none"), std::string(dir_ / "empty"),
                                  mine_.public_half, dir_.path().string()}) {
    const auto refused = SigningKey::Read({"audit.signing_key", file});
    ASSERT_FALSE(refused.ok()) << file;
    EXPECT_EQ(refused.error().reason, Reason::kConfigInvalid) << file;
    EXPECT_EQ(refused.error().field, "audit.signing_key");
  }
  EXPECT_FALSE(VerifyingKey::Read({"public", mine_.key}).ok())
      << "the private half is no public one";
  ASSERT_EQ(::chmod(mine_.key.c_str(), 0644), 0);
  EXPECT_FALSE(SigningKey::Read({"audit.signing_key", mine_.key}).ok()) << "everybody's";
}

}  // namespace
}  // namespace allot::transport
