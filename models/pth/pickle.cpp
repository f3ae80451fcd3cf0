#include "models/pth/pickle.h"

#include <bit>
#include <unordered_map>

#include "models/pth/pickle_opcodes.h"

namespace edgeprune::pickle {
namespace {

/// Of one pickle. Every opcode makes a value or an entry of some list at most, up to a hundred bytes
/// in memory and as little as one in the file. A tensor of a state dict takes about 45.
constexpr size_t kMaxOpcodes = size_t{1} << 21;

/// Of a module and a class or function. Protocol 4 puts both together anew each time it names them.
constexpr size_t kLongestGlobal = 1000;

constexpr char kOrderedDict[] = "collections.OrderedDict",
               kDefaultDict[] = "collections.defaultdict";

class Unpickler {
 public:
  explicit Unpickler(ByteCursor& bytes) : bytes_(bytes) {}

  Pickle run() {
    for (;;) {
      const auto opcode = read<Opcode>();
      if (opcode == Opcode::stop) break;
      check(++opcodes_ <= kMaxOpcodes, "more than {} opcodes", kMaxOpcodes);
      step(opcode);
    }
    pickle_.root = pop();
    return std::move(pickle_);
  }

 private:
  void step(Opcode opcode) {
    switch (opcode) {
      case Opcode::proto:
        return check_protocol(read<uint8_t>());
      case Opcode::frame:  // says only how much a reader of a pipe may ask for at once
        return check(read<uint64_t>() <= bytes_.size() - bytes_.position(),
                     "a frame that is longer than the file");
      case Opcode::mark:
        return marks_.push_back(stack_.size());
      case Opcode::pop:
        pop();
        return;
      case Opcode::pop_mark:
        pop_to_mark();
        return;
      case Opcode::none:
        return push(None{});
      case Opcode::newtrue:
        return push(true);
      case Opcode::newfalse:
        return push(false);
      case Opcode::binint:
        return push(int64_t{read<int32_t>()});
      case Opcode::binint1:
        return push(int64_t{read<uint8_t>()});
      case Opcode::binint2:
        return push(int64_t{read<uint16_t>()});
      case Opcode::long1:
        return push_long(read<uint8_t>());
      case Opcode::long4:
        return push_long(read<uint32_t>());
      case Opcode::binfloat:
        return push(read_double());
      case Opcode::short_binstring:
        return push(std::string(bytes_.text(read<uint8_t>())));
      case Opcode::binstring:
      case Opcode::binunicode:
        return push(std::string(bytes_.text(read<uint32_t>())));
      case Opcode::short_binunicode:
        return push(std::string(bytes_.text(read<uint8_t>())));
      case Opcode::binunicode8:
        return push(std::string(bytes_.text(read<uint64_t>())));
      case Opcode::short_binbytes:
        return push_bytes(read<uint8_t>());
      case Opcode::binbytes:
        return push_bytes(read<uint32_t>());
      case Opcode::binbytes8:
      case Opcode::bytearray8:
        return push_bytes(read<uint64_t>());
      case Opcode::empty_tuple:
        return push(Tuple{});
      case Opcode::tuple1:
        return push(Tuple{pop_last(1)});
      case Opcode::tuple2:
        return push(Tuple{pop_last(2)});
      case Opcode::tuple3:
        return push(Tuple{pop_last(3)});
      case Opcode::tuple:
        return push(Tuple{pop_to_mark()});
      case Opcode::empty_list:
        return push(List{});
      case Opcode::append:
        return append(pop_last(1));
      case Opcode::appends:
        return append(pop_to_mark());
      case Opcode::empty_dict:
        return push(Dict{});
      case Opcode::setitem:
        return set_items(pop_last(2));
      case Opcode::setitems:
        return set_items(pop_to_mark());
      case Opcode::empty_set:
        return push(Opaque{});
      case Opcode::additems:
        pop_to_mark();
        top<Opaque>("set");
        return;
      case Opcode::frozenset:
        pop_to_mark();
        return push(Opaque{});
      case Opcode::memoize:
        return put(static_cast<uint32_t>(memo_.size()));
      case Opcode::binput:
        return put(read<uint8_t>());
      case Opcode::long_binput:
        return put(read<uint32_t>());
      case Opcode::binget:
        return get(read<uint8_t>());
      case Opcode::long_binget:
        return get(read<uint32_t>());
      case Opcode::global:
        return push_global();
      case Opcode::stack_global:
        return push_stack_global();
      case Opcode::reduce:
        return reduce();
      case Opcode::newobj:
        return new_object();
      case Opcode::newobj_ex:
        pop();  // arguments by name
        return new_object();
      case Opcode::build:
        return build();
      case Opcode::binpersid:
        return push_persistent_id();
      case Opcode::stop:
        break;
    }
    check(false, "opcode {:#04x} is not one of protocols 2 to 5", static_cast<uint8_t>(opcode));
  }

  template <typename... Args>
  void check(bool ok, fmt::format_string<Args...> message, Args&&... args) const {
    if (ok) return;
    require_file(false, bytes_.path(), "bad pickle before byte {}: {}", bytes_.position(),
                 fmt::format(message, std::forward<Args>(args)...));
  }

  template <typename T>
  T read() {
    return bytes_.little_endian<T>();
  }

  void check_protocol(int protocol) const {
    check(protocol >= 2 && protocol <= 5, "protocol {}, expected 2 to 5", protocol);
  }

  void push_long(size_t length) {
    const auto bytes = bytes_.take(length);
    if (length > sizeof(int64_t)) return push(Opaque{});  // a seed of 64 bits without sign has 9
    uint64_t value = length > 0 && (bytes.back() & std::byte{0x80}) != std::byte{0} ? ~0ULL : 0;
    for (size_t i = length; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    push(static_cast<int64_t>(value));
  }

  double read_double() {  // the one big-endian number in the format
    return std::bit_cast<double>(__builtin_bswap64(read<uint64_t>()));
  }

  template <typename T>
  void push(T value) {
    stack_.push_back(&pickle_.values.emplace_back(Value{std::move(value)}));
  }

  std::vector<Ref> pop_last(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    check(stack_.size() >= floor + count, "{} values needed, {} on the stack", count,
          stack_.size() - floor);
    std::vector<Ref> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  Ref pop() { return pop_last(1).front(); }

  std::vector<Ref> pop_to_mark() {
    check(!marks_.empty(), "no mark on the stack");
    std::vector<Ref> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  /// The T on top of the stack, to be filled; nullptr if there is an object of unknown make.
  template <typename T>
  T* top(const char* expected) {
    check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "{} expected, stack is empty",
          expected);
    T* found = std::get_if<T>(&stack_.back()->is);
    check(found != nullptr || is_object(stack_.back()), "{} expected, found something else",
          expected);
    return found;
  }

  static bool is_object(Ref value) {
    return as<Call>(value) != nullptr || as<Opaque>(value) != nullptr;
  }

  void append(const std::vector<Ref>& items) {
    List* list = top<List>("list");
    if (list != nullptr) list->items.insert(list->items.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<Ref>& items) {
    check(items.size() % 2 == 0, "key without a value");
    Dict* dict = top<Dict>("dict");
    if (dict == nullptr) return;
    for (size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  void put(uint32_t index) {
    check(!stack_.empty(), "nothing to memoize");
    memo_[index] = stack_.back();
  }

  void get(uint32_t index) {
    const auto found = memo_.find(index);
    check(found != memo_.end(), "memo has no entry {}", index);
    stack_.push_back(found->second);
  }

  void push_global() {
    const std::string_view module = bytes_.line();  // first, whatever order arguments are taken in
    push_global(module, bytes_.line());
  }

  void push_global(std::string_view module, std::string_view name) {
    check(module.size() + name.size() <= kLongestGlobal, "a global's name of {} bytes",
          module.size() + name.size());
    push(Global{fmt::format("{}.{}", module, name)});
  }

  void push_stack_global() {
    const std::vector<Ref> names = pop_last(2);
    const auto *module = as<std::string>(names[0]), *name = as<std::string>(names[1]);
    check(module != nullptr && name != nullptr, "a global's names are no strings");
    push_global(*module, *name);
  }

  void push_bytes(uint64_t length) {
    bytes_.take(length);
    push(Opaque{});
  }

  /// Takes a function or type and its arguments; what a computed one would give is Opaque.
  Value pop_call(const char* what) {
    const std::vector<Ref> operands = pop_last(2);
    const Global* function = as<Global>(operands[0]);
    const Tuple* arguments = as<Tuple>(operands[1]);
    check((function != nullptr || is_object(operands[0])) && arguments != nullptr,
          "{} of something other than a global", what);
    if (function == nullptr) return {Opaque{}};
    return {Call{function, arguments}};
  }

  void reduce() {
    Value called = pop_call("call");
    const Call* call = as<Call>(&called);
    if (call != nullptr && call->function->name == kOrderedDict) {
      return push_ordered_dict(*call->arguments);
    }
    if (call != nullptr && call->function->name == kDefaultDict) return push(Dict{});
    push(std::move(called.is));
  }

  /// Python 3 pickles OrderedDict() and then its items; Python 2 OrderedDict([[key, value], ...]).
  void push_ordered_dict(const Tuple& arguments) {
    Dict dict;
    if (!arguments.items.empty()) {
      const List* pairs = as<List>(arguments.items[0]);
      check(arguments.items.size() == 1 && pairs != nullptr,
            "OrderedDict of something else than pairs");
      copied_pairs_ += pairs->items.size();
      check(copied_pairs_ <= opcodes_, "OrderedDicts of one shared list");
      for (const Ref pair : pairs->items) {
        const List* key_value = as<List>(pair);
        check(key_value != nullptr && key_value->items.size() == 2,
              "OrderedDict of something else than pairs");
        dict.items.emplace_back(key_value->items[0], key_value->items[1]);
      }
    }
    push(std::move(dict));
  }

  void new_object() { push(std::move(pop_call("object").is)); }

  void build() {
    const Ref state = pop();
    if (top<Dict>("object or OrderedDict") != nullptr) return;
    if (Call* object = std::get_if<Call>(&stack_.back()->is)) object->state = state;
  }

  void push_persistent_id() {
    const Ref id = pop();
    // The older container names the class of a module so, with its source, which is not for us.
    const Tuple* fields = as<Tuple>(id);
    const auto is_module = [](const std::string* what) { return what && *what == "module"; };
    if (fields != nullptr && fields->items.size() > 1 && as<Global>(fields->items[1]) &&
        is_module(as<std::string>(fields->items[0]))) {
      return stack_.push_back(const_cast<Value*>(fields->items[1]));  // of pickle_.values
    }
    push(PersistentId{id});
    pickle_.persistent_ids.push_back(as<PersistentId>(stack_.back()));
  }

  ByteCursor& bytes_;
  Pickle pickle_;
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, Value*> memo_;
  size_t opcodes_ = 0;
  size_t copied_pairs_ = 0;  // bounds the one copy that a shared list could make quadratic
};

}  // namespace

Pickle unpickle(ByteCursor& bytes) {
  return Unpickler(bytes).run();
}

}  // namespace edgeprune::pickle
