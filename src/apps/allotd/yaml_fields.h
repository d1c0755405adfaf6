#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::allotd {

/// A mapping of a YAML document, read key by key. Whoever reads a key says what is expected there;
/// the first thing that is not is kept, with file and line, and later reads change nothing.
/// `Finish` then also refuses the keys that nobody read.
class YamlFields {
 public:
  /// Requires: `error` outlives the object; it is shared with the mappings inside.
  YamlFields(const YAML::Node& mapping, std::string file, std::string path,
             std::optional<Error>& error);

  void Read(const std::string& key, std::string& value, const std::string& expected,
            bool (*accepted)(std::string_view));
  void Read(const std::string& key, int& value, int min, int max);
  void Read(const std::string& key, Seconds& value, Seconds min, Seconds max);
  void Read(const std::string& key, bool& value);
  /// A list of texts, not empty; `expected` is of the whole list.
  void Read(const std::string& key, std::vector<std::string>& values, const std::string& expected,
            bool (*accepted)(std::string_view));
  /// Notes that there is no `key`.
  void Require(const std::string& key, const std::string& expected);
  /// The mappings of the list under `key`, at most so many; none when there is no list.
  std::vector<YamlFields> Mappings(const std::string& key, std::size_t most);
  /// The mapping under `key`, empty when there is none.
  YamlFields Mapping(const std::string& key);
  /// In the order of the file. Marks all as read.
  std::vector<std::string> Keys();
  bool Has(const std::string& key) const { return fields_.contains(key); }
  /// Notes that what stands under `key` is not `expected`.
  void Refuse(const std::string& key, const std::string& expected);

  /// Refuses keys that were not read.
  void Finish();

 private:
  struct Field {
    YAML::Node value;
    int line = 0;
  };

  const Field* Find(const std::string& key);
  std::string PathOf(const std::string& key) const;
  void Fail(int line, const std::string& field, const std::string& value,
            const std::string& expected);

  std::string file_;
  std::string path_;
  /// Where the mapping begins.
  int line_ = 1;
  std::optional<Error>& error_;
  std::map<std::string, Field> fields_;
  std::vector<std::string> order_;
  std::set<std::string> read_;
};

}  // namespace allot::allotd
