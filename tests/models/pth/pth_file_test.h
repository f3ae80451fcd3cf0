#pragma once
// What tests of checkpoints share: the same objects in both containers.

#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "models/pth/pth_reader.h"
#include "tests/models/pth/pth_bytes.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune::testing {

inline Archive read_bytes(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder.file("crafted.pth");
  write_bytes(path, bytes);
  return read_pth(path);
}

inline std::vector<float> floats(const Array& array) {
  const Tensor values = array.to_tensor("x");
  return {values.values().begin(), values.values().end()};
}

inline const std::vector<StoredBytes> kSix = {{"k", 6, raw(std::vector<float>{0, 1, 2, 3, 4, 5})}};
inline const std::string kSixFloats = storage("FloatStorage", "k", 6);

/// Whatever container holds them, the same objects are read.
class PthFileTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::string file_of(const std::string& object, const std::vector<StoredBytes>& storages) const {
    return GetParam() == "zip" ? zip_file(zip_entries(object, storages))
                               : legacy_file(object, storages);
  }

  Archive read(const std::string& object, const std::vector<StoredBytes>& storages = kSix) const {
    return read_bytes(folder_, file_of(object, storages));
  }

  /// The object must be rejected, by a message that names the file and holds `reason`.
  void expect_rejected(const std::string& object, const std::string& reason,
                       const std::vector<StoredBytes>& storages = kSix) const {
    try {
      read(object, storages);
      ADD_FAILURE() << "accepted, expected: " << reason;
    } catch (const FileError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(folder_.file("crafted.pth: "))) << message;
      EXPECT_NE(message.find(reason), std::string::npos) << message;
    }
  }

  /// The zip's storages are looked at when a tensor needs them, the older container's all at once.
  std::string of_container(const std::string& zip, const std::string& legacy) const {
    return GetParam() == "zip" ? zip : legacy;
  }

  TemporaryFolder folder_;
};

#define EDGEPRUNE_IN_BOTH_CONTAINERS(suite)                                       \
  INSTANTIATE_TEST_SUITE_P(Containers, suite, ::testing::Values("zip", "legacy"), \
                           [](const auto& instance) { return instance.param; })

}  // namespace edgeprune::testing
