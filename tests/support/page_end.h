#pragma once
// Floats that end where memory ends: who reads or writes behind them crashes.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

namespace edgeprune::testing {

class PageEnd {
 public:
  PageEnd() : page_(static_cast<size_t>(::sysconf(_SC_PAGESIZE))) {
    void* pages =
        ::mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    pages_ = static_cast<char*>(pages);
    if (::mprotect(pages_ + page_, page_, PROT_NONE) != 0) throw std::bad_alloc();
  }
  ~PageEnd() { ::munmap(pages_, 2 * page_); }
  PageEnd(const PageEnd&) = delete;
  PageEnd& operator=(const PageEnd&) = delete;

  /// The last `count` floats of a page.
  float* last(int64_t count) const { return reinterpret_cast<float*>(pages_ + page_) - count; }

 private:
  size_t page_;
  char* pages_;
};

}  // namespace edgeprune::testing
