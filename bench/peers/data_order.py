"""Which images edgeprune trains on, in which order, and which of them it flips: engine/base/random.h, limit() of
data/dataset.cpp and the orders of data/loader.cpp, number for number. Standard library only."""

MASK = (1 << 64) - 1

# Streams of a run's seed.
SELECTION = 1 << 40
ORDER = 2 << 40
AUGMENTATION = 3 << 40  # plus the epoch


class Mt19937_64:
    """C++'s std::mt19937_64."""

    SIZE, SHIFT = 312, 156

    def __init__(self, seed):
        self.state = [seed & MASK]
        for i in range(1, self.SIZE):
            last = self.state[-1]
            self.state.append((6364136223846793005 * (last ^ last >> 62) + i) & MASK)
        self.index = 0

    def bits(self):
        state, i = self.state, self.index
        following = (i + 1) % self.SIZE
        x = (state[i] & MASK << 31) | (state[following] & (1 << 31) - 1)
        x = state[(i + self.SHIFT) % self.SIZE] ^ x >> 1 ^ (0xB5026F5AA96619E9 if x & 1 else 0)
        state[i], self.index = x, following
        x ^= x >> 29 & 0x5555555555555555
        x ^= x << 17 & 0x71D67FFFEDA60000
        x ^= x << 37 & 0xFFF7EEE000000000
        return x ^ x >> 43


def mix(x):
    """splitmix64's finaliser."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


class Rng:
    def __init__(self, seed, stream=0, substream=0):
        self.engine = Mt19937_64(mix(mix(mix(seed) ^ stream) ^ substream))

    def bits(self):
        return self.engine.bits()

    def below(self, bound):
        return (self.bits() >> 32) * bound >> 32

    def shuffle(self, items):
        for i in range(len(items), 1, -1):
            j = self.below(i)
            items[i - 1], items[j] = items[j], items[i - 1]


def select_in_proportion(labels, count, seed):
    """Indices, ascending, of the images that `--limit count` keeps."""
    if count >= len(labels):
        return list(range(len(labels)))
    of_class = [[] for _ in range(max(labels) + 1)]
    for index, label in enumerate(labels):
        of_class[label].append(index)
    turns = []
    for label, indices in enumerate(of_class):
        Rng(seed, SELECTION, label).shuffle(indices)
        turns += [((rank + 0.5) / len(indices) if rank else 0, label, index) for rank, index in enumerate(indices)]
    turns.sort(key=lambda turn: turn[:2])
    return sorted(index for _, _, index in turns[:count])


def epoch_order(count, seed, epoch):
    """The images of an epoch (from 0), in the order that they are trained on."""
    order = list(range(count))
    Rng(seed, ORDER, epoch).shuffle(order)
    return order


def is_flipped(index, seed, epoch):
    return Rng(seed, AUGMENTATION + epoch, index).below(2) == 1
