#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "data/image.h"
#include "engine/base/names.h"

namespace edgeprune::station {

/// Why an image is kept.
enum class Kept { reject, review, sample };
inline constexpr Named<Kept> kKepts[] = {
    {Kept::reject, "reject"},
    {Kept::review, "review"},
    {Kept::sample, "sample", "one in so many of the others, by chance"}};
static_assert(in_order(kKepts));

struct ImageQuota {
  int64_t bytes = 1000 << 20;    ///< of each reason; the oldest go
  int64_t seconds = 30 * 86400;  ///< that an image is kept for
  int64_t free_bytes =
      64 << 20;  ///< that images leave on the disk: records go on when images do not
};

/// Images in folders by reason, FOLDER/reject/THOUSANDS/SEQUENCE.png, with nothing in them but pixels. For one thread.
class ImageStore {
 public:
  /// Makes the folders and counts what is there. `deleted` is told of each image that goes: its name, and why. Throws FileError.
  ImageStore(const std::string& folder, const ImageQuota& quota,
             std::function<void(const std::string& name, const char* why)> deleted);

  /// The name within the folder, or "" if it was not stored: the disk has no room. Never throws for a disk.
  std::string add(Kept reason, uint64_t sequence, const Image& image);

  /// Images that are too old go, and so many that the disk has its free bytes: to be called now and then, also while
  /// none is added.
  void tidy();

 private:
  struct Stored {
    std::string name;
    int64_t bytes, seconds;  ///< its file's, and when it was written, since 1970
  };
  void make_room(Kept reason, int64_t bytes);
  void remove_oldest(Kept reason, const char* why);
  bool has_room(int64_t bytes) const;

  std::string folder_;
  ImageQuota quota_;
  std::function<void(const std::string&, const char*)> deleted_;
  std::array<std::deque<Stored>, std::size(kKepts)> stored_;  ///< the oldest first
  std::array<int64_t, std::size(kKepts)> bytes_{};
};

}  // namespace edgeprune::station
