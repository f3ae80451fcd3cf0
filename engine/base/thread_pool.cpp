#include "engine/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <span>
#include <system_error>
#include <thread>

#include "engine/base/buffer.h"
#include "engine/base/cores.h"
#include "engine/base/short_turns.h"
#include "engine/base/worker_spin.h"

namespace edgeprune {
namespace {

/// How long one of the pool's threads works before it offers the processor to others, between two
/// pieces: less than the 4 ms after which many kernels look for themselves, whatever it is doing
/// then. A thread that is stopped within a piece keeps all others waiting until its next turn.
constexpr std::chrono::milliseconds kGiveWay{3};

/// How long a thread that has left a processor to another one of the pool stays where it came to,
/// at least: a move takes some ten microseconds.
constexpr std::chrono::milliseconds kStay{1};

thread_local int own_index = 0;
thread_local bool within_a_piece = false;

/// Tells the processor that this is a waiting loop: it saves power and the sibling thread's time.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

/// Spins until `value` is no longer `old`, for `time` at most. Returns whether it is.
template <typename T>
bool spin_until_changed(const std::atomic<T>& value, T old, std::chrono::microseconds time) {
  constexpr int kLooks = 32;  // between two readings of the clock
  const auto until = std::chrono::steady_clock::now() + time;
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (value.load(std::memory_order_acquire) != old) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

/// A thread's place at the table: its first piece of the newest work lies here, until the thread,
/// or another one that is free, takes it.
struct alignas(kSeparate) Seat {
  static constexpr uint32_t kTaken = 1;
  std::atomic<uint32_t> offer{kTaken};  ///< the work's number * 2 + kTaken
  std::atomic<bool> asleep{false};      ///< and nobody has called it since
  std::atomic<int> processor{-1};       ///< where the thread was seen last

  /// Returns once there is an offer other than `seen`.
  void wait(uint32_t seen, std::chrono::microseconds spin) {
    if (spin_until_changed(offer, seen, spin)) return;
    while (offer.load() == seen) {
      asleep.store(true);
      offer.wait(seen);
    }
    asleep.store(false);
  }

  /// A thread that was called but has not got the processor yet, because another program has it, is
  /// not called again: every call is a system call. (All in the order of one sequence, which is the
  /// atomics' default: a thread that is about to sleep sees the offer, or is seen asleep.)
  void put(uint32_t number) {
    offer.store(number * 2);
    if (asleep.load() && asleep.exchange(false)) offer.notify_one();
  }

  bool take(uint32_t number) {
    uint32_t free = number * 2;
    return offer.compare_exchange_strong(free, number * 2 + kTaken, std::memory_order_acq_rel);
  }
};

class ThreadPool {
 public:
  /// Returns false, with nothing done, if the pool is occupied.
  bool run(const PiecewiseWork& work, int threads) {
    const std::unique_lock lock(occupied_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    [[maybe_unused]] thread_local const bool short_turns = take_short_turns();
    const int seated = std::min({threads, work.pieces, grow_to(threads)});
    const uint32_t number = ++number_ & (UINT32_MAX / 2);
    if (number % kLook == 0) choose_spin();
    // Closed first: a thread that comes late for the last work must not read this one's pieces.
    next_.exchange(ticket(number, INT32_MAX), std::memory_order_acq_rel);
    run_.store(work.run, std::memory_order_relaxed);
    context_.store(work.context, std::memory_order_relaxed);
    pieces_.store(work.pieces, std::memory_order_relaxed);
    seated_.store(seated, std::memory_order_relaxed);
    unfinished_.store(work.pieces, std::memory_order_relaxed);
    next_.store(ticket(number, seated), std::memory_order_release);
    seats_[0].processor.store(sched_getcpu(), std::memory_order_relaxed);
    for (int i = 1; i < seated; ++i) seats_[i].put(number);
    within_a_piece = true;
    finish(0);
    help(number, [] {});
    within_a_piece = false;
    for (int left = 0; (left = unfinished_.load(std::memory_order_acquire)) > 0;) {
      if (!spin_until_changed(unfinished_, left, kCallerSpin)) {
        unfinished_.wait(left, std::memory_order_acquire);
      }
    }
    return true;
  }

  void bind(std::vector<std::vector<int>> places) {
    const std::lock_guard lock(occupied_);
    if (const int error = bind_to(places.front())) {
      throw std::system_error(error, std::generic_category(), "[bind_threads]");
    }
    places_ = std::move(places);
  }

 private:
  static uint64_t ticket(uint32_t number, int piece) {
    return uint64_t{number} << 32 | static_cast<uint32_t>(piece);
  }

  /// For the threads of the pool, from what happened to the calling one, which is not of them.
  void choose_spin() {
    thread_local WorkerSpin choice;
    const auto now = WorkerSpin::Clock::now();
    if (choice.is_due(now)) spin_.store(choice.choose(now, own_turns()), std::memory_order_relaxed);
  }

  /// Makes threads until there are so many, the caller included, or the system has no more. Returns
  /// how many there are.
  int grow_to(int threads) {
    try {
      for (; threads_ < std::min(threads, kMost); ++threads_) {
        std::vector<int> place;
        if (!places_.empty()) place = places_[static_cast<size_t>(threads_) % places_.size()];
        std::thread([this, place = std::move(place), index = threads_] {
          if (!place.empty()) bind_to(place);  // refused at worst: then it runs anywhere
          own_index = index;
          within_a_piece = true;
          serve(seats_[static_cast<size_t>(index)], take_short_turns());
        }).detach();
      }
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    return threads_;
  }

  [[noreturn]] void serve(Seat& seat, bool short_turns) {
    using Clock = std::chrono::steady_clock;
    const auto index = static_cast<int>(&seat - seats_.data());
    auto last_offer = Clock::now();
    // Where turns are not short, the other program would keep the processor for long.
    const auto give_way = [&] {
      if (!short_turns || Clock::now() - last_offer < kGiveWay) return;
      sched_yield();
      last_offer = Clock::now();
    };
    auto last_move = Clock::now();
    uint32_t seen = Seat::kTaken;
    while (true) {
      seat.wait(seen, spin_.load(std::memory_order_relaxed));
      seen = seat.offer.load(std::memory_order_acquire) | Seat::kTaken;
      give_way();
      if (shares_processor(index) && Clock::now() - last_move >= kStay) {
        part(index);
        last_move = Clock::now();
      }
      if (seat.take(seen / 2)) finish(index);
      help(seen / 2, give_way);
    }
  }

  /// Whether the thread, which is the calling one, runs where one of a lower number was seen last.
  bool shares_processor(int index) {
    const int here = sched_getcpu();
    seats_[index].processor.store(here, std::memory_order_relaxed);
    const auto* const end = seats_.data() + index;
    return std::any_of(static_cast<const Seat*>(seats_.data()), end, [here](const Seat& other) {
      return other.processor.load(std::memory_order_relaxed) == here;
    });
  }

  /// Sends the calling thread to a processor that none of a lower number has. Linux may leave two
  /// threads on one for seconds, with another one idle: each is awake too shortly to be moved. The
  /// caller then does all the work, and is stopped for every thread that it calls.
  void part(int index) {
    std::array<int, kMost> taken{};
    for (int i = 0; i < index; ++i) {
      taken[i] = seats_[i].processor.load(std::memory_order_relaxed);
    }
    leave_processors(std::span(taken).first(index));
    seats_[index].processor.store(sched_getcpu(), std::memory_order_relaxed);
  }

  /// Takes pieces of that work until none is left that nobody has begun. A thread may come late,
  /// when the next work is already there: it takes nothing then, because what it reads here it uses
  /// only if the piece that it takes is of the number that it came for.
  template <typename Before>
  void help(uint32_t number, const Before& before_each) {
    const int pieces = pieces_.load(std::memory_order_relaxed);
    while (true) {
      before_each();
      uint64_t next = next_.load(std::memory_order_acquire);
      do {
        if (next >> 32 != number || static_cast<int>(next & UINT32_MAX) >= pieces) {
          return help_late(number);
        }
      } while (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel));
      finish(static_cast<int>(next & UINT32_MAX));
    }
  }

  /// Takes the first pieces of threads that have not come yet.
  void help_late(uint32_t number) {
    const int seated = seated_.load(std::memory_order_relaxed);
    for (int i = 1; i < seated; ++i) {
      if (seats_[i].take(number)) finish(i);
    }
  }

  /// Runs a piece that the caller has taken: until it has ended, the work stays as it is.
  void finish(int piece) {
    run_.load(std::memory_order_relaxed)(context_.load(std::memory_order_relaxed), piece);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }

  static constexpr int kMost = 256;
  static constexpr uint32_t kLook = 16;  ///< works, between two looks at the clock
  std::mutex occupied_;
  std::array<Seat, kMost> seats_;  ///< the first is the caller's and stays unused
  int threads_ = 1;                ///< there are, the caller included
  std::vector<std::vector<int>> places_;
  uint32_t number_ = 0;

  // The newest work. Written only while nobody has a piece of it.
  std::atomic<void (*)(void*, int)> run_ = nullptr;
  std::atomic<void*> context_ = nullptr;
  std::atomic<int> pieces_ = 0, seated_ = 0;
  alignas(kSeparate) std::atomic<uint64_t> next_ = 0;  ///< ticket: the next piece behind the seats'
  alignas(kSeparate) std::atomic<int> unfinished_ = 0;

  /// All read it at every work: apart from what the caller writes.
  alignas(kSeparate) std::atomic<std::chrono::microseconds> spin_ = WorkerSpin::kShort;
};

ThreadPool& thread_pool() {
  static auto* instance =
      new ThreadPool;  // never destroyed: its threads serve until the program ends
  return *instance;
}

}  // namespace

void run_pieces(const PiecewiseWork& work, int threads) {
  if (threads > 1 && work.pieces > 1 && !within_a_piece && thread_pool().run(work, threads)) return;
  for (int piece = 0; piece < work.pieces; ++piece) work.run(work.context, piece);
}

int thread_index() {
  return own_index;
}

bool is_within_a_piece() {
  return within_a_piece;
}

void bind_threads(std::vector<std::vector<int>> places) {
  thread_pool().bind(std::move(places));
}

}  // namespace edgeprune
