#pragma once

#include <functional>
#include <utility>

#include "allot/store/store.h"

namespace allot::control {

/// A store before each transaction of which something happens, or which it fails by.
class HookedStore final : public store::Store {
 public:
  explicit HookedStore(store::Store& inner) : inner_(inner) {}

  std::function<Status(store::Access)> before = [](store::Access) { return Ok{}; };

  void OnCommit(std::function<void(Revision)> callback) override {
    inner_.OnCommit(std::move(callback));
  }

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override {
    ALLOT_RETURN_IF_ERROR(before(access));
    return inner_.Transact<Ok>(access, scope, work);
  }

 private:
  store::Store& inner_;
};

}  // namespace allot::control
