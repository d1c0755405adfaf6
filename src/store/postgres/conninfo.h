#pragma once

#include <map>
#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::store {

/// How a database is connected to: what libpq reads in a URL, or in its "key=value" form. It may
/// hold a password, so no error shows any of it.
class Conninfo {
 public:
  /// config_invalid for what libpq cannot read, for nothing at all, and for a URL that libpq reads
  /// otherwise than it was meant: what follows an '@' or a '/' in a password is taken for the
  /// host or the port, and would be shown with them.
  static Result<Conninfo> Parse(const std::string& url);

  /// Unless it says otherwise itself.
  void Default(const std::string& keyword, const std::string& value);

  /// For libpq, in the "key='value'" form.
  std::string str() const;

  /// As the environment variables that PostgreSQL's own programs go by, so that no password is on a
  /// command line; with those of this process that it does not overrule.
  std::vector<std::string> Environment() const;

 private:
  /// What was given, by libpq's keywords.
  std::map<std::string, std::string> values_;
  /// The variable that each keyword has, if any.
  std::map<std::string, std::string> variables_;
};

}  // namespace allot::store
