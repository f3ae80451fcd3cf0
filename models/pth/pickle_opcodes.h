#pragma once

#include <cstdint>

namespace edgeprune::pickle {

/// What Python's pickle writes in protocols 2 to 5, under pickletools' names. Missing are the opcodes of
/// protocols 0 and 1 that later ones no longer write, and buffers kept outside (5), which files have not.
enum class Opcode : uint8_t {
  mark = '(',
  stop = '.',
  pop = '0',
  pop_mark = '1',
  none = 'N',
  newtrue = 0x88,
  newfalse = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8a,
  long4 = 0x8b,
  binfloat = 'G',
  short_binstring = 'U',  // Python 2's str
  binstring = 'T',
  binunicode = 'X',
  short_binunicode = 0x8c,
  binunicode8 = 0x8d,
  short_binbytes = 'C',
  binbytes = 'B',
  binbytes8 = 0x8e,
  bytearray8 = 0x96,
  empty_tuple = ')',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  tuple = 't',
  empty_list = ']',
  append = 'a',
  appends = 'e',
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  empty_set = 0x8f,
  additems = 0x90,
  frozenset = 0x91,
  binput = 'q',
  long_binput = 'r',
  memoize = 0x94,
  binget = 'h',
  long_binget = 'j',
  global = 'c',
  stack_global = 0x93,
  reduce = 'R',
  newobj = 0x81,
  newobj_ex = 0x92,
  build = 'b',
  binpersid = 'Q',
  proto = 0x80,
  frame = 0x95,
};

}  // namespace edgeprune::pickle
